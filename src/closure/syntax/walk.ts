import type { Node as AcornNode } from 'acorn';

/** Acorn's nodes, as far as they are read here. */
export interface Ast extends AcornNode {
  readonly [field: string]: unknown;
}

/** A range of a function's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `require('x')` or `import('x')` with a literal specifier. */
export interface ModuleCall extends Span {
  readonly kind: 'require' | 'import';
  readonly specifier: string;
  /** The called name. If its value isn't a real `require`, the call stays as is. */
  readonly callee: string;
  /** Whether it calls a function that stands in for `import`, as Vite generates. */
  readonly isDisguised: boolean;
}

/** What Vite's module runner, and so vitest, turns `import()` into. */
export const disguisedImport = '__vite_ssr_dynamic_import__';

/** A property that is read from a name. */
export interface MemberUse {
  readonly key: string;
  /** Where the member expression ends. */
  readonly end: number;
  /** Whether it is called, which passes the object as `this`. */
  readonly isCalled: boolean;
}

/** A member of `super`. */
export interface SuperUse extends Span {
  readonly property: Span;
  readonly computed: boolean;
  /** The range of the arguments, if it is called. */
  readonly call: Span | undefined;
}

/** The result of one pass over a function's tree. */
export class Walk {
  readonly identifiers = new Set<string>();
  readonly outerThis: Span[] = [];
  readonly moduleCalls: ModuleCall[] = [];
  /** The property read from an identifier, by the identifier's start. */
  readonly memberOf = new Map<number, MemberUse>();
  /** The keys that a pattern takes from an identifier, by the identifier's start. */
  readonly patternOf = new Map<number, readonly string[]>();
  /** `import.meta.url` and similar. Without a key, `import.meta` itself. */
  readonly metas: (Span & { readonly key: string | undefined })[] = [];
  readonly #privateUses = new Set<string>();
  readonly #privateNames = new Set<string>();
  /** Calls of members, by the member's start. */
  readonly #called = new Map<number, Ast>();
  readonly shorthands = new Set<number>();
  /** `super.x` that refers to the prototype of an enclosing object. */
  readonly outerSupers: SuperUse[] = [];
  /** Where `arguments` means that of the enclosing function. */
  readonly outerArguments = new Set<number>();
  usesOuterSuper = false;
  usesOuterNewTarget = false;
  usesEval = false;
  readonly #shift: number;
  readonly #root: Ast;

  constructor(root: Ast, shift: number) {
    this.#shift = shift;
    this.#root = root;
    this.#visit(root, true);
  }

  /** `outer`: whether `this` and `super` mean those of the code around the root. */
  #visit(node: Ast, outer: boolean): void {
    this.#note(node, outer);
    for (const [field, child] of Object.entries(node)) {
      if (typeof child !== 'object' || child === null || isPropertyName(node, field)) continue;
      const inside = outer && (node === this.#root || !changesThis(node, field));
      for (const each of Array.isArray(child) ? (child as unknown[]) : [child]) {
        if (isAst(each)) this.#visit(each, inside);
      }
    }
  }

  #note(node: Ast, outer: boolean): void {
    if (node.type === 'Identifier') this.#noteIdentifier(node, outer);
    else if (node.type === 'ThisExpression' && outer) this.outerThis.push(this.#span(node));
    else if (node.type === 'Super' && outer) this.usesOuterSuper = true;
    else if (node.type === 'MemberExpression') this.#noteMember(node, outer);
    else if (node.type === 'MetaProperty') this.#noteMeta(node, outer);
    else if (node.type === 'Property' && node.shorthand === true) this.shorthands.add((node.key as Ast).start);
    else if (node.type === 'CallExpression') this.#noteCall(node);
    // A template tag gets its object as `this`, like a called function.
    else if (node.type === 'TaggedTemplateExpression') this.#called.set((node.tag as Ast).start, node);
    else if (node.type === 'PrivateIdentifier') this.#privateUses.add(node.name as string);
    else if (node.type === 'PropertyDefinition' || node.type === 'MethodDefinition') this.#notePrivate(node.key as Ast);
    else if (node.type === 'VariableDeclarator') this.#notePattern(node.id as Ast, node.init as Ast | null);
    else if (node.type === 'ImportExpression') this.#noteModule(node, 'import', node.source as Ast);
  }

  #noteIdentifier({ name, start }: Ast, outer: boolean): void {
    this.identifiers.add(name as string);
    if (name === 'arguments' && outer && this.#root.type === 'ArrowFunctionExpression') this.outerArguments.add(start);
  }

  #noteMember(node: Ast, outer: boolean): void {
    const object = node.object as Ast;
    const property = node.property as Ast;
    if (object.type === 'Super' && outer) this.outerSupers.push(this.#superUse(node));
    if (property.type === 'PrivateIdentifier') this.#privateUses.add(property.name as string);
    const key = node.computed === true ? property.value : property.name;
    if (typeof key !== 'string') return;
    if (isImportMeta(object)) this.metas.push({ ...this.#span(node), key });
    if (object.type !== 'Identifier') return;
    this.memberOf.set(object.start, { key, end: node.end - this.#shift, isCalled: this.#called.has(node.start) });
  }

  #superUse(node: Ast): SuperUse {
    const call = this.#called.get(node.start);
    const [first] = (call?.arguments ?? []) as Ast[];
    const end = call === undefined ? 0 : call.end - 1;
    return {
      ...this.#span(node),
      property: this.#span(node.property as Ast),
      computed: node.computed === true,
      call: call === undefined ? undefined : { start: (first?.start ?? end) - this.#shift, end: end - this.#shift },
    };
  }

  #noteMeta(node: Ast, outer: boolean): void {
    if (!isImportMeta(node)) this.usesOuterNewTarget ||= outer;
    // The member expression was visited before its object.
    else if (!this.metas.some(({ start }) => start === node.start - this.#shift)) {
      this.metas.push({ ...this.#span(node), key: undefined });
    }
  }

  #notePattern(id: Ast, init: Ast | null): void {
    if (id.type !== 'ObjectPattern' || init?.type !== 'Identifier') return;
    const properties = id.properties as Ast[];
    if (properties.some(({ type, computed }) => type !== 'Property' || computed === true)) return;
    this.patternOf.set(
      init.start,
      properties.map(({ key }) => String((key as Ast).name ?? (key as Ast).value)),
    );
  }

  #notePrivate(key: Ast): void {
    if (key.type === 'PrivateIdentifier') this.#privateNames.add(key.name as string);
  }

  /** Private names that are used here and belong to an enclosing class. */
  get outerPrivateNames(): readonly string[] {
    return [...this.#privateUses].filter((name) => !this.#privateNames.has(name));
  }

  #noteCall(node: Ast): void {
    const callee = node.callee as Ast;
    // The callee is visited after its call.
    if (callee.type === 'MemberExpression') this.#called.set(callee.start, node);
    if (callee.type !== 'Identifier') return;
    if (callee.name === 'eval') this.usesEval = true;
    const [specifier] = node.arguments as Ast[];
    if (specifier === undefined) return;
    this.#noteModule(node, callee.name === disguisedImport ? 'import' : 'require', specifier);
  }

  #noteModule(node: Ast, kind: ModuleCall['kind'], specifier: Ast): void {
    const isDisguised = kind === 'import' && node.type === 'CallExpression';
    if (typeof specifier.value !== 'string') return;
    const callee = String((node.callee as Ast | undefined)?.name ?? kind);
    this.moduleCalls.push({ ...this.#span(node), kind, callee, specifier: specifier.value, isDisguised });
  }

  #span({ start, end }: Ast): Span {
    return { start: start - this.#shift, end: end - this.#shift };
  }
}

export const isAst = (value: unknown): value is Ast =>
  typeof value === 'object' && value !== null && typeof (value as Ast).type === 'string';

const isImportMeta = (node: Ast): boolean => node.type === 'MetaProperty' && (node.meta as Ast).name === 'import';

const isPropertyName = (node: Ast, field: string): boolean =>
  node.computed === false &&
  node.shorthand !== true &&
  (field === 'key' || (field === 'property' && node.type === 'MemberExpression'));

/** Whether a node's child has its own `this`. */
function changesThis(node: Ast, field: string): boolean {
  if (node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration') return field === 'body' || field === 'params';
  return node.type === 'PropertyDefinition' ? field === 'value' : node.type === 'StaticBlock';
}
