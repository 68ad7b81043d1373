import { type Options, parse } from 'acorn';
import { analyze, type Reference, type ScopeManager } from 'eslint-scope';
import { type ClassSyntax, constructorOf, describeClass, replacedSpans } from './class-parts.ts';
import { type Ast, type MemberUse, type ModuleCall, type Span, type SuperUse, Walk } from './walk.ts';

/** One use of a free name. */
export interface NameUse extends Span {
  /** `{ n }`: the name is also the key, so a renamed variable needs `n: ` before it. */
  readonly shorthand: boolean;
  /** The property read from it, if that is its only use. */
  readonly member: MemberUse | undefined;
  /** The keys that an object pattern takes from it, if that is its only use. */
  readonly pattern: readonly string[] | undefined;
}

/** How a function uses a name that it does not declare. */
export interface FreeName {
  readonly uses: NameUse[];
  written: boolean;
}

/** What a function's text reveals. */
export interface FunctionSyntax {
  readonly text: string;
  /** Whether the text is an expression as is, or a method that needs an object around it. */
  readonly form: 'expression' | 'method';
  readonly kind: 'function' | 'arrow' | 'class';
  readonly isAsync: boolean;
  readonly isGenerator: boolean;
  /** Its `length`: the number of parameters before the first one with a default. */
  readonly length: number;
  /** Its own name in its text. */
  readonly id: (Span & { readonly name: string }) | undefined;
  /** A method's key. */
  readonly key: Span | undefined;
  readonly role: 'value' | 'get' | 'set';
  readonly freeNames: ReadonlyMap<string, FreeName>;
  /** Where `this` means that of the enclosing code. */
  readonly outerThis: readonly Span[];
  readonly usesOuterSuper: boolean;
  /** Where an arrow function reads members of the enclosing `super`. */
  readonly outerSupers: readonly SuperUse[];
  readonly usesEval: boolean;
  /** Whether an arrow function uses the `new.target` of the enclosing function. */
  readonly usesOuterNewTarget: boolean;
  /** Private names of an enclosing class. */
  readonly outerPrivateNames: readonly string[];
  /** Whether it assigns its own name, which in a declaration is a variable. */
  readonly writesOwnName: boolean;
  readonly metas: readonly (Span & { readonly key: string | undefined })[];
  readonly moduleCalls: readonly ModuleCall[];
  /** Every identifier in the text that isn't a property name. */
  readonly identifiers: ReadonlySet<string>;
  readonly class: ClassSyntax | undefined;
}

const options: Options = {
  ecmaVersion: 'latest',
  sourceType: 'script',
  // The text of a method may contain syntax that is valid only inside its class or object.
  allowSuperOutsideMethod: true,
  allowAwaitOutsideFunction: false,
  allowImportExportEverywhere: true,
  allowHashBang: true,
  checkPrivateFields: false,
  ranges: true,
};

/** Contexts in which a text may be valid. `new.target` in an arrow function needs a function around it. */
const wrappers = [
  { before: '(', after: '\n)', form: 'expression' },
  { before: '({', after: '\n})', form: 'method' },
  { before: '(function () { (', after: '\n) })', form: 'expression' },
] as const;

/** Reads the text of a function as V8 returns it. Returns undefined if it isn't JavaScript. */
export function readSyntax(text: string): FunctionSyntax | undefined {
  for (const { before, after, form } of wrappers) {
    try {
      const program = parse(`${before}${text}${after}`, options) as unknown as Ast;
      return describe(text, program, { form, shift: before.length });
    } catch {
      // Try the next form.
    }
  }
  return undefined;
}

interface Wrapping {
  readonly form: FunctionSyntax['form'];
  readonly shift: number;
}

function describe(text: string, program: Ast, { form, shift }: Wrapping): FunctionSyntax {
  const outer = (program.body as Ast[])[0]?.expression as Ast;
  const isWrapped = outer.start < shift && form === 'expression';
  const expression = isWrapped ? (((outer.body as Ast).body as Ast[])[0]?.expression as Ast) : outer;
  const property = form === 'method' ? (expression.properties as Ast[])[0] : undefined;
  const fn = (property?.value ?? expression) as Ast;
  const span = (node: Ast | null | undefined): Span | undefined =>
    node == null ? undefined : { start: node.start - shift, end: node.end - shift };
  const walked = new Walk(fn, shift);
  const kind = fn.type === 'ArrowFunctionExpression' ? 'arrow' : fn.type === 'ClassExpression' ? 'class' : 'function';
  const id = fn.id as Ast | null | undefined;
  const classSyntax = kind === 'class' ? describeClass(fn, text, shift) : undefined;
  const scopes = analyze(program as never, { ecmaVersion: 2022, sourceType: 'script', ignoreEval: true });
  const unused = classSyntax === undefined ? [] : replacedSpans(classSyntax);
  const names = freeNames(scopes, walked, { shift, unused });
  const isFree = ({ kind, callee, start }: ModuleCall): boolean =>
    kind === 'import' || names.get(callee)?.uses.some((use) => use.start === start) === true;
  return {
    text,
    form,
    kind,
    isAsync: fn.async === true,
    isGenerator: fn.generator === true,
    length: lengthOf(fn),
    id: id == null ? undefined : { ...(span(id) as Span), name: id.name as string },
    key: span(property?.key as Ast | undefined),
    role: property?.kind === 'get' || property?.kind === 'set' ? property.kind : 'value',
    freeNames: names,
    outerThis: kind === 'arrow' ? walked.outerThis : [],
    usesOuterSuper: form === 'method' || kind === 'arrow' ? walked.usesOuterSuper : false,
    outerSupers: kind === 'arrow' ? walked.outerSupers : [],
    usesOuterNewTarget: kind === 'arrow' && walked.usesOuterNewTarget,
    usesEval: walked.usesEval && names.has('eval'),
    outerPrivateNames: walked.outerPrivateNames,
    writesOwnName: writesOwnName(scopes, fn),
    metas: walked.metas,
    moduleCalls: walked.moduleCalls.filter(isFree),
    identifiers: walked.identifiers,
    class: classSyntax,
  };
}

function lengthOf(fn: Ast): number {
  const maker = fn.type === 'ClassExpression' ? constructorOf(fn) : fn;
  const params = (maker?.params ?? []) as Ast[];
  const end = params.findIndex(({ type }) => type === 'AssignmentPattern' || type === 'RestElement');
  return end === -1 ? params.length : end;
}

/** Returns the names that the text uses but doesn't declare, except in `unused` parts. */
function freeNames(
  scopes: ScopeManager,
  walked: Walk,
  { shift, unused }: { shift: number; unused: readonly Span[] },
): Map<string, FreeName> {
  const names = new Map<string, FreeName>();
  const seen = new Set<number>();
  for (const reference of (scopes.globalScope?.through ?? []) as Reference[]) {
    const { name, start, end } = reference.identifier as unknown as { name: string; start: number; end: number };
    // In a parameter default, the scope analysis attributes `arguments` to an outer function.
    if (name === 'arguments' && !walked.outerArguments.has(start)) continue;
    if (unused.some((span) => span.start <= start - shift && end - shift <= span.end)) continue;
    const found = names.get(name) ?? { uses: [], written: false };
    names.set(name, found);
    // A default in a pattern is reported both as a read and as a write.
    if (!seen.has(start)) {
      seen.add(start);
      const shorthand = walked.shorthands.has(start);
      const use = { start: start - shift, end: end - shift, shorthand, member: walked.memberOf.get(start) };
      found.uses.push({ ...use, pattern: walked.patternOf.get(start) });
    }
    found.written ||= reference.isWrite();
  }
  return names;
}

function writesOwnName(scopes: ScopeManager, fn: Ast): boolean {
  const own = scopes.scopes.find(({ type, block }) => type === 'function-expression-name' && (block as unknown) === fn);
  return own?.variables.some(({ references }) => references.some((reference) => reference.isWrite())) === true;
}
