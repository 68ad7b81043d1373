import { type Ast, type Span, Walk } from './walk.ts';

/** The parts of a class's text that are rewritten, or needed to restore the private state of instances. */
export interface ClassSyntax {
  readonly heritage: Span | undefined;
  /** Whether it has an `extends` clause, including `extends null`. */
  readonly isDerived: boolean;
  /** Static fields and blocks. Their effects are captured as values. */
  readonly statics: readonly Span[];
  /** Computed keys of methods and accessors, each with the text of its member. */
  readonly computedKeys: readonly (Span & { readonly text: string })[];
  /** Names used in computed keys of fields, which are evaluated when the class is created. */
  readonly keyNames: ReadonlySet<string>;
  /** Keys of its methods and accessors, except computed ones. */
  readonly memberKeys: { readonly self: readonly string[]; readonly prototype: readonly string[] };
  /** Texts of the methods and accessors, to distinguish them from functions that were put on the class later. */
  readonly memberTexts: ReadonlySet<string>;
  /** Private instance fields, including the `#`, in initialization order. */
  readonly privateFields: readonly string[];
  /** Private methods and accessors of instances. */
  readonly privateMethods: readonly string[];
  /** Private static fields: for each, its name and the initializer that follows. */
  readonly privateStatics: readonly (Span & { readonly name: string })[];
  /** Initializers of instance fields, except those that only create a function or name a constant. */
  readonly initialisers: readonly Span[];
  /** The offset at which the body begins, after its brace. */
  readonly bodyStart: number;
  /** The offset at which the constructor's body begins, after its brace. */
  readonly constructorStart: number | undefined;
}

/** Returns the parts of a class's text that aren't evaluated again in the replica. */
export const replacedSpans = ({ heritage, statics, computedKeys, privateStatics }: ClassSyntax): readonly Span[] => [
  ...(heritage === undefined ? [] : [heritage]),
  ...statics,
  ...computedKeys,
  ...privateStatics,
];

const isPrivate = ({ key }: Ast): boolean => (key as Ast | undefined)?.type === 'PrivateIdentifier';
const isField = ({ type }: Ast): boolean => type === 'PropertyDefinition';
const isMethod = ({ type }: Ast): boolean => type === 'MethodDefinition';
const privateName = ({ key }: Ast): string => `#${(key as Ast).name as string}`;

/** Evaluating these has no effect, and a function takes its name from the field. */
const inert = /^(ArrowFunctionExpression|FunctionExpression|Literal)$/;

/** Returns the constructor in a class's text. */
export const constructorOf = (node: Ast): Ast | undefined =>
  ((node.body as Ast).body as Ast[]).find(({ kind }) => kind === 'constructor')?.value as Ast | undefined;

/** Returns the keys of methods and accessors that are written literally. */
function plainKeys(members: readonly Ast[]): readonly string[] {
  const named = members.filter((member) => isMethod(member) && member.computed !== true && member.kind !== 'constructor');
  return named.flatMap(({ key }) => {
    const { type, name, value } = key as Ast;
    return type === 'PrivateIdentifier' ? [] : [String(name ?? value)];
  });
}

export function describeClass(node: Ast, text: string, shift: number): ClassSyntax {
  const members = (node.body as Ast).body as Ast[];
  const sliced = ({ start, end }: Span): string => text.slice(start - shift, end - shift);
  const span = ({ start, end }: Span): Span => ({ start: start - shift, end: end - shift });
  const dropped = members.filter(
    (member) => member.type === 'StaticBlock' || (isField(member) && member.static === true && !isPrivate(member)),
  );
  const computed = members.filter((member) => member.computed === true && !dropped.includes(member));
  // V8 omits the `static` keyword from the text of a static member.
  const textOf = (member: Ast): string => sliced(member).replace(/^static\b(?:\s|\/\*.*?\*\/)*(?=[^\s(=])/s, '');
  const ofInstance = members.filter((member) => member.static !== true);
  const maker = constructorOf(node);
  const superclass = node.superClass as Ast | null;
  return {
    heritage: superclass === null || superclass.type === 'Literal' ? undefined : span(superclass),
    isDerived: superclass !== null,
    statics: dropped.map(span),
    computedKeys: computed.filter(isMethod).map((member) => ({ ...span(member.key as Ast), text: textOf(member) })),
    keyNames: new Set(
      computed.filter((member) => !isMethod(member)).flatMap((member) => [...new Walk(member.key as Ast, shift).identifiers]),
    ),
    memberKeys: { self: plainKeys(members.filter((member) => member.static === true)), prototype: plainKeys(ofInstance) },
    memberTexts: new Set(members.filter(isMethod).map(textOf)),
    privateFields: ofInstance.filter((member) => isField(member) && isPrivate(member)).map(privateName),
    privateMethods: ofInstance.filter((member) => isMethod(member) && isPrivate(member)).map(privateName),
    privateStatics: members
      .filter((member) => isField(member) && isPrivate(member) && member.static === true)
      .map((member) => ({ name: privateName(member), start: (member.key as Ast).end - shift, end: member.end - shift })),
    initialisers: ofInstance
      .filter(isField)
      .map(({ value }) => value as Ast | null)
      .filter((value) => value !== null && !inert.test(value.type))
      .map((value) => span(value as Ast)),
    bodyStart: (node.body as Ast).start + 1 - shift,
    constructorStart: maker === undefined ? undefined : (maker.body as Ast).start + 1 - shift,
  };
}
