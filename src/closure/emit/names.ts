import type { CapturedClosure } from '../graph/closure.ts';
import type { Binding, Node } from '../graph/nodes.ts';

const reservedWords =
  'arguments await break case catch class const continue debugger default delete do else enum eval exports __dirname __filename module require export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield'.split(
    ' ',
  );

/** Gives the variables of the emitted module names that mean nothing else in any captured function's text. */
export class Names {
  /** Names that must keep their meaning: the environment's, and those that functions use uncaptured. */
  readonly #reserved = new Set([...reservedWords, ...Object.getOwnPropertyNames(globalThis)]);
  /** Names that occur in any text: a renamed variable could be shadowed there. */
  readonly #occurring = new Set<string>();
  readonly #taken = new Set<string>();
  /** How far the numbers behind a name have come. */
  readonly #counts = new Map<string, number>();
  readonly #bindings = new Map<Binding, string>();
  /** Variables that throw when they are used, and the object that they are members of. */
  readonly #uninitialized = new Set<string>();
  #uninitializedObject: string | undefined;

  constructor(captured: CapturedClosure) {
    for (const { syntax, captures } of captured.functions) {
      for (const name of syntax.identifiers) this.#occurring.add(name);
      for (const name of syntax.freeNames.keys()) if (!captures.has(name)) this.#reserved.add(name);
    }
    for (const { captures } of captured.functions) {
      for (const { binding } of captures.values()) if (binding !== undefined) this.of(binding);
    }
    for (const { binding } of captured.live) if (binding !== undefined) this.of(binding);
  }

  of(binding: Binding): string {
    return this.#bindings.get(binding) ?? this.#name(binding);
  }

  /** A name that nothing else has, as close to the wish as can be. */
  fresh(wish: string): string {
    const base = /^[A-Za-z_$][\w$]*$/.test(wish) ? wish : 'value';
    for (let count = (this.#counts.get(base) ?? 0) + 1; ; count++) {
      const name = count === 1 ? base : `${base}_${count}`;
      if (this.#reserved.has(name) || this.#taken.has(name) || this.#occurring.has(name)) continue;
      this.#counts.set(base, count);
      return this.#take(name);
    }
  }

  /** The statements that make variables throw which were never initialised. */
  statements(): string[] {
    const members = [...this.#uninitialized].map((name) => {
      const fail = `{ throw new ReferenceError("Cannot access '${name}' before initialization"); }`;
      return `get ${name}() ${fail}, set ${name}(_) ${fail}`;
    });
    return members.length === 0 ? [] : [`const ${this.#uninitializedObject} = { ${members.join(', ')} };`];
  }

  #name(binding: Binding): string {
    if (binding.uninitialized) {
      this.#uninitializedObject ??= this.fresh('uninitialized');
      this.#uninitialized.add(binding.name);
      return `${this.#uninitializedObject}.${binding.name}`;
    }
    // A member of a namespace is called after its key.
    const name = binding.name.split('.').at(-1) ?? binding.name;
    const keeps = !this.#reserved.has(name) && !this.#taken.has(name);
    const given = keeps ? this.#take(name) : this.fresh(name === 'this' ? 'self' : name);
    this.#bindings.set(binding, given);
    return given;
  }

  #take(name: string): string {
    this.#taken.add(name);
    return name;
  }
}

/** A word for a node whose variable has no name of the user's. */
export const wishFor = (node: Node): string => {
  if (node.kind === 'function' && node.name !== '') return node.name;
  return node.kind === 'view' ? node.type.toLowerCase() : node.kind;
};
