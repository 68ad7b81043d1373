import type { Node as AcornNode } from 'acorn';

/** Acorn's nodes, as far as they are read here. */
export interface Ast extends AcornNode {
  readonly [field: string]: unknown;
}

/** A stretch of a function's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `require('x')` or `import('x')` with a literal specifier. */
export interface ModuleCall extends Span {
  readonly kind: 'require' | 'import';
  readonly specifier: string;
}

/** What one pass over a function's tree collects. */
export class Walk {
  readonly identifiers = new Set<string>();
  readonly outerThis: Span[] = [];
  readonly moduleCalls: ModuleCall[] = [];
  /** By where an identifier starts: the property that is read of it. */
  readonly memberOf = new Map<number, string>();
  readonly shorthands = new Set<number>();
  usesOuterSuper = false;
  usesEval = false;
  readonly #shift: number;
  readonly #root: Ast;

  constructor(root: Ast, shift: number) {
    this.#shift = shift;
    this.#root = root;
    this.#visit(root, true);
  }

  /** `outer`: whether `this` and `super` mean those around the root. */
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
    if (node.type === 'Identifier') this.identifiers.add(node.name as string);
    else if (node.type === 'ThisExpression' && outer) this.outerThis.push(this.#span(node));
    else if (node.type === 'Super' && outer) this.usesOuterSuper = true;
    else if (node.type === 'MemberExpression') this.#noteMember(node);
    else if (node.type === 'Property' && node.shorthand === true) this.shorthands.add((node.key as Ast).start);
    else if (node.type === 'CallExpression') this.#noteCall(node);
    else if (node.type === 'ImportExpression') this.#noteModule(node, 'import', node.source as Ast);
  }

  #noteMember(node: Ast): void {
    const object = node.object as Ast;
    const property = node.property as Ast;
    if (object.type !== 'Identifier') return;
    const key = node.computed === true ? property.value : property.name;
    if (typeof key === 'string') this.memberOf.set(object.start, key);
  }

  #noteCall(node: Ast): void {
    const callee = node.callee as Ast;
    if (callee.type !== 'Identifier') return;
    if (callee.name === 'eval') this.usesEval = true;
    const [specifier] = node.arguments as Ast[];
    if (callee.name === 'require' && specifier !== undefined) this.#noteModule(node, 'require', specifier);
  }

  #noteModule(node: Ast, kind: ModuleCall['kind'], specifier: Ast): void {
    if (typeof specifier.value === 'string') this.moduleCalls.push({ ...this.#span(node), kind, specifier: specifier.value });
  }

  #span({ start, end }: Ast): Span {
    return { start: start - this.#shift, end: end - this.#shift };
  }
}

export const isAst = (value: unknown): value is Ast =>
  typeof value === 'object' && value !== null && typeof (value as Ast).type === 'string';

const isPropertyName = (node: Ast, field: string): boolean =>
  node.computed === false &&
  node.shorthand !== true &&
  (field === 'key' || (field === 'property' && node.type === 'MemberExpression'));

/** Whether a child of a node has a `this` of its own. */
function changesThis(node: Ast, field: string): boolean {
  if (node.type === 'FunctionExpression' || node.type === 'FunctionDeclaration') return field === 'body' || field === 'params';
  return node.type === 'PropertyDefinition' ? field === 'value' : node.type === 'StaticBlock';
}
