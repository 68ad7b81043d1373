import { ClipperError } from '../../errors.ts';
import {
  extentOf,
  type FunctionNode,
  isNode,
  type MemberNode,
  type Node,
  type Property,
  type Value,
  type ViewNode,
} from '../graph/nodes.ts';
import { printPath } from '../graph/path.ts';
import type { AssetWriter } from './assets.ts';
import type { ModuleFormat } from './format.ts';
import { functionExpression, type Surroundings } from './functions.ts';
import type { Helpers } from './helpers.ts';
import type { ModuleImports } from './modules.ts';
import type { Names } from './names.ts';
import type { SourceMapper } from './source-map.ts';
import { isRow } from './table.ts';
import { isPlain, type Print, printArray, printDescriptor, printKey, printMember, printPrimitive } from './values.ts';

/** How to refer to a node that has been written. */
export interface Written {
  readonly text: string;
  /** Nesting depth of the literal, or 0 for a name. */
  readonly depth: number;
}

interface PrinterParts {
  readonly names: Names;
  readonly helpers: Helpers;
  readonly format: ModuleFormat;
  readonly modules: ModuleImports;
  readonly assets: AssetWriter;
  readonly sources: SourceMapper;
}

/** Prints expressions and statements of nodes whose parts have been written. */
export class Printer {
  readonly #modules: ModuleImports;
  readonly #assets: AssetWriter;
  readonly #surroundings: Surroundings;
  readonly #format: ModuleFormat;
  readonly #written = new Map<Node, Written>();
  /** The variable that holds the rows of the data table. */
  table = '';
  readonly print: Print = (value) => this.#reference(value);
  readonly isWritten = (value: Value): boolean => !isNode(value) || isRow(value) || this.#written.has(value);
  readonly depthOf = (value: Value): number => (isNode(value) ? (this.#written.get(value)?.depth ?? 0) : 0);

  constructor({ names, helpers, format, modules, assets, sources }: PrinterParts) {
    this.#modules = modules;
    this.#assets = assets;
    this.#format = format;
    this.#surroundings = { names, helpers, sources, print: this.print, isSloppy: format.isSloppy };
  }

  wrote(node: Node, written: Written): void {
    this.#written.set(node, written);
  }

  #reference(value: Value): string {
    if (!isNode(value)) return printPrimitive(value);
    const text = isRow(value) ? `${this.table}[${value.row}]` : this.#written.get(value)?.text;
    if (text !== undefined) return text;
    const message = `${printPath(value.path)} can't travel: it needs itself in order to be made again. Break the cycle, or make it in \`setup\``;
    throw new ClipperError('E_NOT_CAPTURABLE', message);
  }

  /** Returns the expression that creates a node. `literal`: the properties that the expression includes. */
  expression(node: Node, literal: readonly Property[]): string {
    const { print } = this;
    const base = node.privates?.find(({ owner }) => owner.syntax.class?.isDerived === false);
    if (base?.isStatic === false) return this.#created(node, base.owner);
    switch (node.kind) {
      case 'intrinsic':
        return node.expression.replace('import.meta.url', () => this.#format.here);
      case 'module':
        return this.#modules.reference(node);
      case 'member':
        return this.#member(node);
      case 'symbol':
        return `Symbol(${node.description === undefined ? '' : JSON.stringify(node.description)})`;
      case 'function':
        return functionExpression(node, this.#surroundings);
      case 'object':
        return this.#object(node, literal);
      case 'array':
        return printArray(node, literal, print);
      case 'map':
        return `new ${node.isWeak ? 'WeakMap' : 'Map'}(${this.#list(node.entries.flat(), () => node.entries.map((entry) => `[${entry.map(print).join(', ')}]`))})`;
      case 'set':
        return `new ${node.isWeak ? 'WeakSet' : 'Set'}(${this.#list(node.entries, () => node.entries.map(print))})`;
      case 'change':
        return `${node.maker}([${node.values.map(print).join(', ')}])`;
      case 'made':
        return `${node.maker}(${node.values.map(print).join(', ')})`;
      case 'call':
        return `(0, ${print(node.target)})(${node.values.map(print).join(', ')})`;
      case 'bound':
        return `${print(node.target)}.bind(${[node.boundThis, ...node.boundArguments].map(print).join(', ')})`;
      case 'buffer':
        return this.#assets.expression(node);
      case 'view':
        return this.#view(node);
      default:
        throw new TypeError(`No expression for ${String(node satisfies never)}`);
    }
  }

  /** Returns the statements that complete a node after its expression. Call it once everything is written. */
  completion(
    node: Node,
    literal: readonly Property[],
    late: { readonly prototype: boolean; readonly entries: boolean },
  ): string[] {
    const name = this.#reference(node);
    const held = new Set(literal);
    const properties = node.properties.filter((property) => !held.has(property));
    return [
      ...deletions(node, name),
      ...(late.prototype ? [`Object.setPrototypeOf(${name}, ${this.print(node.prototype)});`] : []),
      ...(late.entries ? this.#entries(node, name) : []),
      ...this.#privateFields(node, name),
      ...properties.map((property) => this.#ofPackage(node, name, property) + this.#property(node, name, property)),
      ...integrity(node, name),
    ];
  }

  #member({ owner, key, role }: MemberNode): string {
    if (role === 'value') return this.print(owner) + printMember(key, this.print);
    return `Object.getOwnPropertyDescriptor(${this.print(owner)}, ${this.print(key)}).${role}`;
  }

  /** Creates an instance of a base class with private state. */
  #created(node: Node, owner: FunctionNode): string {
    const prototype = node.prototype === undefined ? 'Object.prototype' : this.print(node.prototype);
    const keys = node.properties.map(({ key }) => this.print(key)).join(', ');
    return `${this.#surroundings.helpers.restorer.object}.create(${this.print(owner)}, ${prototype}, [${keys}])`;
  }

  /** Returns statements that add the private members of a node's subclasses. The completion sets their values. */
  installations({ privates = [] }: Node, name: string): string[] {
    return privates
      .filter(({ owner, isStatic }) => !isStatic && owner.syntax.class?.isDerived === true)
      .map(({ owner }) => `${this.#surroundings.helpers.restorer.object}.install(${this.print(owner)}, ${name});`);
  }

  #privateFields({ privates = [] }: Node, name: string): string[] {
    return privates.flatMap(({ owner, fields }) => {
      const slots = fields.length === 0 ? '' : this.#surroundings.helpers.slotsOf(owner);
      return fields.map(([key, value]) => `${slots}["${key}"](${name}, ${this.print(value)});`);
    });
  }

  #object(node: Node, literal: readonly Property[]): string {
    const own = literal.map(({ key, value }) => `${printKey(key, this.print)}: ${this.print(value)}`);
    const hasPrototype = node.prototype !== undefined && this.isWritten(node.prototype);
    const texts = hasPrototype ? [`__proto__: ${this.print(node.prototype)}`, ...own] : own;
    return texts.length === 0 ? '{}' : `{ ${texts.join(', ')} }`;
  }

  #list(values: readonly Value[], texts: () => readonly string[]): string {
    return values.length > 0 && values.every(this.isWritten) ? `[${texts().join(', ')}]` : '';
  }

  #view({ type, buffer, byteOffset, length }: ViewNode): string {
    const make = type === 'Buffer' ? 'Buffer.from' : `new ${type}`;
    const end = length === undefined ? '' : `, ${length}`;
    return `${make}(${this.print(buffer)}, ${byteOffset - extentOf(buffer).start}${end})`;
  }

  #entries(node: Node, name: string): string[] {
    if (node.kind === 'map') return node.entries.map((entry) => `${name}.set(${entry.map(this.print).join(', ')});`);
    if (node.kind === 'module') return (node.kept ?? []).map((entry) => this.#kept(name, entry));
    return node.kind === 'set' ? node.entries.map((entry) => `${name}.add(${this.print(entry)});`) : [];
  }

  #kept(name: string, entry: readonly Value[]): string {
    return `${name}.${entry.length === 1 ? 'add' : 'set'}(${entry.map(this.print).join(', ')});`;
  }

  /** Keeps members that the bundled module defines itself. */
  #ofPackage(node: Node, name: string, { key }: Property): string {
    const owner = node.kind === 'member' ? node.owner : node;
    if (!isNode(owner) || owner.kind !== 'module') return '';
    return `if (!Object.hasOwn(${name}, ${this.print(key)})) `;
  }

  // An assignment would run a prototype's setter, or fail if the prototype is frozen.
  #property(node: Node, name: string, property: Property): string {
    const { binding } = property.live ?? {};
    if (binding !== undefined) {
      const get = `get: () => ${this.#surroundings.names.of(binding)}`;
      return `Object.defineProperty(${name}, ${this.print(property.key)}, { ${get}, enumerable: true });`;
    }
    const isAssignable = (node.kind === 'object' || node.kind === 'array') && node.prototype === undefined;
    if (isAssignable && isPlain(property) && property.key !== '__proto__') {
      return `${name}${printMember(property.key, this.print)} = ${this.print(property.value)};`;
    }
    const isThere = node.kind === 'member' || node.kind === 'function' || node.kind === 'bound' || property.key === 'length';
    return `Object.defineProperty(${name}, ${this.print(property.key)}, ${printDescriptor(property, isThere, this.print)});`;
  }
}

function deletions(node: Node, name: string): string[] {
  if (node.kind !== 'function') return [];
  return node.deleted.map(([owner, key]) => `delete ${name}${owner === 'self' ? '' : '.prototype'}[${JSON.stringify(key)}];`);
}

function integrity({ integrity: level }: Node, name: string): string[] {
  if (level === 'extensible') return [];
  const verb = { fixed: 'preventExtensions', sealed: 'seal', frozen: 'freeze' }[level];
  return [`Object.${verb}(${name});`];
}
