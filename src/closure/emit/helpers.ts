import type { FunctionNode } from '../graph/nodes.ts';
import { completeTable, makeRestorer, readTable } from './bundle-helpers.ts';
import type { Names } from './names.ts';

const helpers = { completeTable, readTable };

/** The bundle's helper code. Only the helpers in use are written. */
export class Helpers {
  readonly #names: Names;
  readonly #used = new Map<keyof typeof helpers, string>();
  readonly #slots = new Map<FunctionNode, string>();
  #restorer: { readonly restoring: string; readonly object: string } | undefined;

  constructor(names: Names) {
    this.#names = names;
  }

  /** Returns the name of a helper function. */
  name(helper: keyof typeof helpers): string {
    const name = this.#used.get(helper) ?? this.#names.fresh(helper);
    this.#used.set(helper, name);
    return name;
  }

  /** Returns the variable that holds the setters of a class's private fields. */
  slotsOf(owner: FunctionNode): string {
    const name = this.#slots.get(owner) ?? this.#names.fresh(`privatesOf${/^[\w$]+$/.test(owner.name) ? owner.name : ''}`);
    this.#slots.set(owner, name);
    return name;
  }

  /** Restores private state: an object with functions, and a variable that is true while they run. */
  get restorer(): { readonly restoring: string; readonly object: string } {
    this.#restorer ??= { restoring: this.#names.fresh('restoring'), object: this.#names.fresh('restorer') };
    return this.#restorer;
  }

  statements(): string[] {
    const texts = [...this.#used].map(([helper, name]) => `const ${name} = ${String(helpers[helper])};`);
    if (this.#restorer === undefined) return texts;
    const { restoring, object } = this.#restorer;
    const note = `(isRestoring) => { ${restoring} = isRestoring; }`;
    return [...texts, `let ${restoring} = false;`, `const ${object} = (${String(makeRestorer)})(${note});`];
  }
}
