import { type Options, parse } from 'acorn';
import { analyze, type Reference, type ScopeManager } from 'eslint-scope';
import { ClipperError, messageOf } from '../errors.ts';
import { type Ast, type MemberUse, type ModuleCall, type Span, Walk } from './syntax-walk.ts';

/** One use of a free name. */
export interface NameUse extends Span {
  /** `{ n }`: the name is a key too, so a new name needs `n: ` before it. */
  readonly shorthand: boolean;
  /** The property that is read of it, where that is all that is done with it. */
  readonly member: MemberUse | undefined;
}

/** How a function uses a name that it does not declare. */
export interface FreeName {
  readonly uses: NameUse[];
  written: boolean;
}

export interface ClassSyntax {
  readonly heritage: Span | undefined;
  /** Static fields and blocks, whose effects are captured as values. */
  readonly statics: readonly Span[];
  /** Computed keys of methods and accessors, each with the text of its member. */
  readonly computedKeys: readonly (Span & { readonly text: string })[];
  /** Names that computed keys of fields use, needed when the class is made. */
  readonly keyNames: ReadonlySet<string>;
  /** Texts of the methods and accessors, to tell them from functions that were put on the class later. */
  readonly memberTexts: ReadonlySet<string>;
  readonly hasPrivateStatics: boolean;
}

/** What is known of a function from its text alone. */
export interface FunctionSyntax {
  readonly text: string;
  /** Whether the text is an expression as it stands, or a method that needs an object around it. */
  readonly form: 'expression' | 'method';
  readonly kind: 'function' | 'arrow' | 'class';
  readonly isAsync: boolean;
  readonly isGenerator: boolean;
  /** Its own name in its text. */
  readonly id: (Span & { readonly name: string }) | undefined;
  /** A method's key. */
  readonly key: Span | undefined;
  readonly role: 'value' | 'get' | 'set';
  readonly freeNames: ReadonlyMap<string, FreeName>;
  /** Where `this` means that of the surroundings. */
  readonly outerThis: readonly Span[];
  readonly usesOuterSuper: boolean;
  readonly usesEval: boolean;
  /** Private names of a class around it. */
  readonly outerPrivateNames: readonly string[];
  /** Whether it assigns its own name, which in a declaration is a variable. */
  readonly writesOwnName: boolean;
  readonly metas: readonly (Span & { readonly key: string })[];
  /** Why the text can't stand in strict code, where it can't. */
  readonly sloppySyntax: string | undefined;
  readonly moduleCalls: readonly ModuleCall[];
  /** Every identifier in the text that is no property's name. */
  readonly identifiers: ReadonlySet<string>;
  readonly class: ClassSyntax | undefined;
}

const options: Options = {
  ecmaVersion: 'latest',
  sourceType: 'script',
  // The text of a method may hold what only its surroundings allow.
  allowSuperOutsideMethod: true,
  allowAwaitOutsideFunction: false,
  allowImportExportEverywhere: true,
  allowHashBang: true,
  checkPrivateFields: false,
  ranges: true,
};

const wrappers = [
  { before: '(', after: '\n)', form: 'expression' },
  { before: '({', after: '\n})', form: 'method' },
] as const;

/** Reads the text of a function as V8 gives it. Throws E_NOT_CAPTURABLE where it is no JavaScript. */
export function readSyntax(text: string, name: string): FunctionSyntax {
  let failure: unknown;
  for (const { before, after, form } of wrappers) {
    try {
      const program = parse(`${before}${text}${after}`, options) as unknown as Ast;
      const described = describe(text, program, { form, shift: before.length });
      return { ...described, sloppySyntax: strictFailure(`${before}${text}${after}`) };
    } catch (error) {
      failure ??= error;
    }
  }
  const message = `The text of function "${name}" can't be read as JavaScript: ${messageOf(failure)}`;
  throw new ClipperError('E_NOT_CAPTURABLE', message, { cause: failure });
}

/** What a module, which is strict code, would say of a text that a script allows. */
function strictFailure(text: string): string | undefined {
  try {
    parse(text, { ...options, sourceType: 'module' });
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

interface Wrapping {
  readonly form: FunctionSyntax['form'];
  readonly shift: number;
}

function describe(text: string, program: Ast, { form, shift }: Wrapping): Omit<FunctionSyntax, 'sloppySyntax'> {
  const expression = (program.body as Ast[])[0]?.expression as Ast;
  const property = form === 'method' ? (expression.properties as Ast[])[0] : undefined;
  const fn = (property?.value ?? expression) as Ast;
  const span = (node: Ast | null | undefined): Span | undefined =>
    node == null ? undefined : { start: node.start - shift, end: node.end - shift };
  const walked = new Walk(fn, shift);
  const kind = fn.type === 'ArrowFunctionExpression' ? 'arrow' : fn.type === 'ClassExpression' ? 'class' : 'function';
  const id = fn.id as Ast | null | undefined;
  const classSyntax = kind === 'class' ? describeClass(fn, text, shift) : undefined;
  const scopes = analyze(program as never, { ecmaVersion: 2022, sourceType: 'script' });
  const unused = classSyntax === undefined ? [] : replacedSpans(classSyntax);
  const names = freeNames(scopes, walked, { shift, unused });
  const isFree = ({ kind, start }: ModuleCall): boolean =>
    kind === 'import' || names.get('require')?.uses.some((use) => use.start === start) === true;
  return {
    text,
    form,
    kind,
    isAsync: fn.async === true,
    isGenerator: fn.generator === true,
    id: id == null ? undefined : { ...(span(id) as Span), name: id.name as string },
    key: span(property?.key as Ast | undefined),
    role: property?.kind === 'get' || property?.kind === 'set' ? property.kind : 'value',
    freeNames: names,
    outerThis: kind === 'arrow' ? walked.outerThis : [],
    usesOuterSuper: form === 'method' || kind === 'arrow' ? walked.usesOuterSuper : false,
    usesEval: walked.usesEval && names.has('eval'),
    outerPrivateNames: walked.outerPrivateNames,
    writesOwnName: writesOwnName(scopes, fn),
    metas: walked.metas,
    moduleCalls: walked.moduleCalls.filter(isFree),
    identifiers: walked.identifiers,
    class: classSyntax,
  };
}

/** The parts of a class's text that are not evaluated again in the replica. */
const replacedSpans = ({ heritage, statics, computedKeys }: ClassSyntax): readonly Span[] =>
  heritage === undefined ? [...statics, ...computedKeys] : [heritage, ...statics, ...computedKeys];

/** Names that the text uses and does not declare, by scope analysis; but for those in `unused` parts. */
function freeNames(
  scopes: ScopeManager,
  walked: Walk,
  { shift, unused }: { shift: number; unused: readonly Span[] },
): Map<string, FreeName> {
  const names = new Map<string, FreeName>();
  for (const reference of (scopes.globalScope?.through ?? []) as Reference[]) {
    const { name, start, end } = reference.identifier as unknown as { name: string; start: number; end: number };
    if (unused.some((span) => span.start <= start - shift && end - shift <= span.end)) continue;
    const found = names.get(name) ?? { uses: [], written: false };
    names.set(name, found);
    // A default in a pattern is reported both as read and as written.
    if (!found.uses.some((use) => use.start === start - shift)) {
      const shorthand = walked.shorthands.has(start);
      found.uses.push({ start: start - shift, end: end - shift, shorthand, member: walked.memberOf.get(start) });
    }
    found.written ||= reference.isWrite();
  }
  return names;
}

function writesOwnName(scopes: ScopeManager, fn: Ast): boolean {
  const own = scopes.scopes.find(({ type, block }) => type === 'function-expression-name' && (block as unknown) === fn);
  return own?.variables.some(({ references }) => references.some((reference) => reference.isWrite())) === true;
}

function describeClass(node: Ast, text: string, shift: number): ClassSyntax {
  const members = (node.body as Ast).body as Ast[];
  const sliced = ({ start, end }: Span): string => text.slice(start - shift, end - shift);
  const span = ({ start, end }: Span): Span => ({ start: start - shift, end: end - shift });
  const isPrivate = (member: Ast): boolean => (member.key as Ast | undefined)?.type === 'PrivateIdentifier';
  const dropped = members.filter(
    (member) =>
      member.type === 'StaticBlock' || (member.type === 'PropertyDefinition' && member.static === true && !isPrivate(member)),
  );
  const computed = members.filter((member) => member.computed === true && !dropped.includes(member));
  const isMethod = ({ type }: Ast): boolean => type === 'MethodDefinition';
  // V8's text of a static member is without that word.
  const textOf = (member: Ast): string => sliced(member).replace(/^static\b(?:\s|\/\*.*?\*\/)*(?=[^\s(=])/s, '');
  const superclass = node.superClass as Ast | null;
  const heritage = superclass?.type === 'Literal' ? null : superclass;
  return {
    heritage: heritage === null ? undefined : span(heritage),
    statics: dropped.map(span),
    computedKeys: computed.filter(isMethod).map((member) => ({ ...span(member.key as Ast), text: textOf(member) })),
    keyNames: new Set(
      computed.filter((member) => !isMethod(member)).flatMap((member) => [...new Walk(member.key as Ast, shift).identifiers]),
    ),
    memberTexts: new Set(members.filter(isMethod).map(textOf)),
    hasPrivateStatics: members.some(
      (member) => member.type === 'PropertyDefinition' && member.static === true && isPrivate(member),
    ),
  };
}
