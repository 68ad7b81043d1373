import type { CapturedClosure } from '../graph/closure.ts';
import type { Binding, Node } from '../graph/nodes.ts';

const reservedWords =
  'arguments await break case catch class const continue debugger default delete do else enum eval exports __dirname __filename module require export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield'.split(
    ' ',
  );

/** Names the emitted module's variables so that no name means anything else in the text of a captured function. */
export class Names {
  /** Names that must keep their meaning: those of the environment, and those that functions use without capturing them. */
  readonly #reserved = new Set([...reservedWords, ...Object.getOwnPropertyNames(globalThis)]);
  /** Names that occur in any text, where they could shadow a renamed variable. */
  readonly #occurring = new Set<string>();
  readonly #taken = new Set<string>();
  /** The last number appended to each name. */
  readonly #counts = new Map<string, number>();
  readonly #bindings = new Map<Binding, string>();
  /** Variables that throw when used, and the object whose members they become. */
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

  /** Returns an unused name, as close to the requested one as possible. */
  fresh(wish: string): string {
    const base = /^[A-Za-z_$][\w$]*$/.test(wish) ? wish : 'value';
    for (let count = (this.#counts.get(base) ?? 0) + 1; ; count++) {
      const name = count === 1 ? base : `${base}_${count}`;
      if (this.#reserved.has(name) || this.#taken.has(name) || this.#occurring.has(name)) continue;
      this.#counts.set(base, count);
      return this.#take(name);
    }
  }

  /** Returns the statements that make never-initialized variables throw. */
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
    // A member of a namespace is named after its key.
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

/** Suggests a name for a node that has no variable name of the user's. */
export const wishFor = (node: Node): string => {
  if (node.kind === 'function' && node.name !== '') return node.name;
  return node.kind === 'view' ? node.type.toLowerCase() : node.kind;
};
