import type { CapturedClosure } from '../graph/closure.ts';
import { type Binding, type FunctionNode, isNode, type MapNode, type Node, type SetNode, type Value } from '../graph/nodes.ts';
import { type Asset, AssetWriter } from './assets.ts';
import { Factories } from './factories.ts';
import { type EmittedFile, EsModule, type ModuleFormat, SloppyModule } from './format.ts';
import { definitionNeeds, inferredName } from './functions.ts';
import { Helpers } from './helpers.ts';
import { ModuleImports, type PackageImport } from './modules.ts';
import { Names, wishFor } from './names.ts';
import { Printer } from './printer.ts';
import { SourceMapper } from './source-map.ts';
import { DataTable, isRow } from './table.ts';
import { childrenOf, literalProperties } from './values.ts';

/** The contents of a bundle, before packages are bundled into it. */
export interface EmittedClosure {
  /** The entry module, and the bundle's files that it imports. */
  readonly files: readonly EmittedFile[];
  readonly assets: readonly Asset[];
  readonly packages: readonly PackageImport[];
}

/** Deeper literals are split so that no parser overflows its stack. */
const maxDepth = 50;

/**
 * Writes a captured closure as an ES module that exports its roots. Every captured variable becomes a variable of the module,
 * under its own name or a new one, so functions that shared a variable still share it and run as fast as before. Values are
 * written before whatever holds them; cycles are closed at the end.
 */
export function emitClosure(captured: CapturedClosure): EmittedClosure {
  const emitter = new Emitter(captured);
  return emitter.emit();
}

class Emitter {
  readonly #captured: CapturedClosure;
  readonly #names: Names;
  readonly #sources = new SourceMapper();
  readonly #format: ModuleFormat;
  readonly #modules: ModuleImports;
  readonly #assets: AssetWriter;
  readonly #helpers: Helpers;
  readonly #factories: Factories;
  readonly #printer: Printer;
  readonly #statements: string[] = [];
  readonly #completions: Array<() => readonly string[]> = [];
  readonly #seen = new Set<Node>();
  readonly #queue: Value[] = [];
  readonly #declared = new Set<Binding>();
  /** The variable that a value was captured as, if that variable is never assigned. */
  readonly #homes = new Map<Node, Binding>();

  constructor(captured: CapturedClosure) {
    this.#captured = captured;
    this.#names = new Names(captured);
    const isSloppy = captured.functions.some((fn) => fn.isSloppy);
    this.#format = new (isSloppy ? SloppyModule : EsModule)(this.#names);
    this.#modules = new ModuleImports(this.#names, captured.packageFiles.length > 0);
    this.#assets = new AssetWriter(this.#names, this.#format);
    this.#helpers = new Helpers(this.#names);
    this.#factories = new Factories(captured, this.#names);
    this.#printer = new Printer({
      names: this.#names,
      helpers: this.#helpers,
      format: this.#format,
      modules: this.#modules,
      assets: this.#assets,
      sources: this.#sources,
    });
    for (const binding of this.#bindings()) {
      const { value, written } = binding;
      if (!written && isNode(value) && !this.#homes.has(value)) this.#homes.set(value, binding);
    }
  }

  emit(): EmittedClosure {
    const { data, evaluated } = this.#captured;
    const table = DataTable.of(data, evaluated);
    for (const node of data) if (node.row < 0) node.expand();
    if (table !== undefined) this.#writeTable(table);
    this.#queue.push(...this.#captured.roots.values(), ...this.#captured.extras);
    for (let index = 0; index < this.#queue.length; index++) this.#write(this.#queue[index]);
    for (const binding of this.#bindings()) this.#declare(binding);
    const completions = this.#completions.flatMap((print) => print());
    const roots = new Map([...this.#captured.roots].map(([name, value]) => [name, this.#printer.print(value)]));
    const head = [
      ...this.#names.statements(),
      ...this.#modules.statements(this.#format),
      ...this.#assets.statements(),
      ...this.#helpers.statements(),
    ];
    const files = this.#format.files([...head, ...this.#statements, ...completions], roots);
    return {
      files: files.flatMap((file) => this.#sources.finish(file)),
      assets: this.#assets.assets,
      packages: this.#modules.packages,
    };
  }

  /** The table's rows come first. Their values of other kinds are filled in last. */
  #writeTable(table: DataTable): void {
    const [all, rows] = [this.#names.fresh('table'), this.#names.fresh('rows')];
    const file = this.#assets.file(table.asset('table.jsonl'));
    this.#statements.push(
      `const ${all} = ${this.#helpers.name('readTable')}(${file}, ${table.forms()});`,
      `const ${rows} = ${all}.rows;`,
    );
    this.#printer.table = rows;
    const prototypes = table.prototypes();
    for (const value of [...table.others, ...prototypes.map(({ prototype }) => prototype)]) this.#queue.push(value);
    const complete = this.#helpers.name('completeTable');
    const { print } = this.#printer;
    this.#completions.push(() => {
      const ranges = prototypes.map(({ start, end, prototype }) => `[${start}, ${end}, ${print(prototype)}]`);
      return [`${complete}(${all}, [${table.others.map(print).join(', ')}], [${ranges.join(', ')}]);`];
    });
  }

  *#bindings(): Generator<Binding> {
    for (const { captures } of this.#captured.functions) {
      for (const { binding } of captures.values()) if (binding !== undefined) yield binding;
    }
    for (const { binding } of this.#captured.live) if (binding !== undefined) yield binding;
  }

  /** Writes a value and everything it needs, innermost first. Uses an explicit stack, since chains may be long. */
  #write(root: Value): void {
    if (!isNode(root) || isRow(root) || this.#seen.has(root)) return;
    const stack = [this.#open(root)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { value, done } = top.needs.next();
      if (done === true) {
        stack.pop();
        this.#close(top.node);
      } else if (isNode(value) && !isRow(value) && !this.#seen.has(value)) stack.push(this.#open(value));
    }
  }

  #open(node: Node): { readonly node: Node; readonly needs: Iterator<Value, void> } {
    this.#seen.add(node);
    return { node, needs: this.#needs(node) };
  }

  /** Yields the nodes that must be written before this one. Queues its other references. */
  *#needs(node: Node): Generator<Value, void> {
    if (node.kind === 'function') {
      yield* this.#functionNeeds(node);
      yield node.host;
      yield* this.#factories.ownValues(node) ?? [];
      for (const value of childrenOf(node)) this.#queue.push(value);
      this.#queue.push(node.prototypeMember, ...node.changedMembers);
      for (const { value } of node.captures.values()) this.#queue.push(value);
      return;
    }
    if (node.kind === 'module') this.#queue.push(...(node.kept ?? []).flat());
    if (node.kind === 'call') yield* this.#callNeeds(node.target);
    for (const value of childrenOf(node)) {
      // A bound function may need the very object that holds it. A member's properties aren't part of the member.
      const holdsBound = isNode(value) && value.kind === 'bound' && !isMadeOf(node);
      const later = holdsBound || (node.kind === 'member' && value !== node.owner && value !== node.key);
      if (later) this.#queue.push(value);
      else yield value;
    }
  }

  /** A function that is called right away needs its variables, and so do the functions that it may call. */
  *#callNeeds(target: Value): Generator<Value, void> {
    const called = new Set([target]);
    for (const value of called) {
      if (!isNode(value) || value.kind !== 'function') continue;
      for (const capture of value.captures.values()) {
        yield capture.value;
        called.add(capture.value);
        if (capture.binding !== undefined && this.#printer.isWritten(capture.value)) this.#declare(capture.binding);
      }
    }
  }

  /**
   * A function can be created before the values of its variables exist. A class needs its superclass and computed keys first.
   */
  *#functionNeeds(node: FunctionNode): Generator<Value, void> {
    const { values, names } = definitionNeeds(node);
    yield* values;
    for (const name of names) {
      const { value, binding } = node.captures.get(name) ?? {};
      yield value;
      if (binding !== undefined) this.#declare(binding);
    }
  }

  #close(node: Node): void {
    const { isWritten, depthOf } = this.#printer;
    const literal = hasInstanceState(node) ? [] : literalProperties(node, isWritten);
    const late = {
      prototype: node.prototype !== undefined && !(node.kind === 'object' && isWritten(node.prototype)),
      entries: node.kind === 'module' ? node.kept !== undefined : isCollection(node) && !node.entries.flat().every(isWritten),
    };
    const isWhole =
      literal.length === node.properties.length &&
      !late.prototype &&
      !late.entries &&
      node.integrity === 'extensible' &&
      node.privates === undefined &&
      (node.kind !== 'function' || node.deleted.length === 0);
    if (node.kind === 'function') for (const each of node.inside.hosted) this.#nameHosted(each);
    // A function inside a class is created along with the class.
    if (node.kind === 'function' && node.host !== undefined && this.#printer.isWritten(node)) {
      this.#nameFunction(node, inferredName(node, this.#printer.print(node), false));
      if (!isWhole) this.#completions.push(() => this.#printer.completion(node, literal, late));
      return;
    }
    const text = this.#printer.expression(node, literal);
    let depth = 1;
    for (const value of childrenOf(node)) depth = Math.max(depth, depthOf(value) + 1);
    const stays = isByName(node) || (isWhole && node.references <= 1 && canBeInline(node) && depth < maxDepth);
    if (stays && !this.#homes.has(node)) this.#printer.wrote(node, { text, depth: isByName(node) ? 0 : depth });
    else this.#name(node, text);
    if (!isWhole) this.#completions.push(() => this.#printer.completion(node, literal, late));
  }

  /** Gives a node its own variable, or the variable that it was captured as. */
  #name(node: Node, text: string): void {
    const home = this.#homes.get(node);
    if (home !== undefined) this.#declared.add(home);
    const name = home === undefined ? this.#names.fresh(wishFor(node)) : this.#names.of(home);
    this.#printer.wrote(node, { text: name, depth: 0 });
    if (node.kind !== 'function') {
      this.#statements.push(`const ${name} = ${text};`, ...this.#printer.installations(node, name));
      return;
    }
    if (node.inside.slots.size > 0) this.#statements.push(`let ${this.#helpers.slotsOf(node)};`);
    if (this.#makeFunction(node, name)) return;
    const inferred = inferredName(node, name, this.#format.isSloppy);
    // The comma expression keeps an anonymous function from being named after the variable.
    this.#statements.push(`const ${name} = ${inferred === name && node.name === '' ? `(0, ${text})` : text};`);
    this.#nameFunction(node, inferred);
  }

  /**
   * Returns false if no factory creates the function, or if one of its own variables isn't written yet. It may hold the
   * function itself.
   */
  #makeFunction(node: FunctionNode, name: string): boolean {
    const values = this.#factories.ownValues(node);
    const isMade = (value: Value): boolean => value !== node && this.#printer.isWritten(value);
    if (values === undefined || !values.every(isMade)) return false;
    const factory = this.#factories.use(node, (model) => this.#printer.expression(model, []));
    if (factory.statement !== undefined) this.#statements.push(factory.statement);
    this.#statements.push(`const ${name} = ${factory.name}(${values.map(this.#printer.print).join(', ')});`);
    for (const binding of this.#factories.ownBindings(node)) this.#declared.add(binding);
    this.#nameFunction(node, node.syntax.id?.name ?? '');
    return true;
  }

  #nameFunction(node: FunctionNode, inferred: string): void {
    if (inferred === node.name || node.name === '') return;
    const name = this.#printer.print(node);
    this.#statements.push(`Object.defineProperty(${name}, "name", { value: ${JSON.stringify(node.name)}, configurable: true });`);
  }

  /** Declares the variable of a function that a class's text will assign. */
  #nameHosted(node: FunctionNode): void {
    const home = this.#homes.get(node);
    if (home !== undefined) this.#declared.add(home);
    const name = home === undefined ? this.#names.fresh(wishFor(node)) : this.#names.of(home);
    this.#printer.wrote(node, { text: name, depth: 0 });
    this.#statements.push(`let ${name};`);
  }

  #declare(binding: Binding): void {
    if (binding.uninitialized || this.#declared.has(binding)) return;
    this.#declared.add(binding);
    // Engines inline constants, so this keeps captured constants as fast as before.
    const keyword = binding.written ? 'let' : 'const';
    this.#statements.push(`${keyword} ${this.#names.of(binding)} = ${this.#printer.print(binding.value)};`);
  }
}

/** Whether a node's own properties must wait until its private fields exist. */
const hasInstanceState = ({ privates = [] }: Node): boolean => privates.some(({ isStatic }) => !isStatic);

/** Nodes that can't be created before their values. */
const isMadeOf = ({ kind }: Node): boolean => kind === 'bound' || kind === 'made' || kind === 'change' || kind === 'call';

/** Nodes that are looked up, not created. */
const isByName = ({ kind }: Node): boolean => kind === 'intrinsic' || kind === 'module' || kind === 'member';

const canBeInline = ({ kind, privates }: Node): boolean => kind !== 'function' && kind !== 'symbol' && privates === undefined;

const isCollection = (node: Node): node is MapNode | SetNode => node.kind === 'map' || node.kind === 'set';
