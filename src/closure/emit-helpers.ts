import type { FunctionNode } from './graph.ts';
import type { Names } from './names.ts';

/** Code of the bundle's own that restores what no expression can: the private state of instances. */
export class Helpers {
  readonly #names: Names;
  readonly #used = new Map<Helper, string>();
  readonly #slots = new Map<FunctionNode, string>();

  constructor(names: Names) {
    this.#names = names;
  }

  /** The name of a helper, which is written into the bundle because of that. */
  name(helper: Helper): string {
    const known = this.#used.get(helper);
    if (known !== undefined) return known;
    const name = this.#names.fresh(helper);
    this.#used.set(helper, name);
    return name;
  }

  /** The variable that holds the setters of a class's private fields. */
  slotsOf(owner: FunctionNode): string {
    const known = this.#slots.get(owner);
    if (known !== undefined) return known;
    const name = this.#names.fresh(`privatesOf${/^[\w$]+$/.test(owner.name) ? owner.name : ''}`);
    this.#slots.set(owner, name);
    return name;
  }

  statements(): string[] {
    if (this.#used.size === 0) return [];
    const [restoring, create, install, construct] = (['restoring', 'create', 'install', 'construct'] as const).map((each) =>
      this.name(each),
    );
    return [
      `var ${restoring} = false;`,
      // A value that any pattern of parameters can be given, so that constructors are entered without running the user's code.
      `function ${construct}(Class, Target) {`,
      '  const any = new Proxy(function () {}, { get: (_, key) => (key === Symbol.iterator ? list : any), has: () => true });',
      '  function* list() { for (let count = 0; count < 64; count++) yield any; }',
      `  ${restoring} = true;`,
      `  try { return Reflect.construct(Class, Array(32).fill(any), Target); } finally { ${restoring} = false; }`,
      '}',
      // An instance of a base class, with the class's private fields and nothing else.
      `function ${create}(Class, prototype) {`,
      '  const Target = function () {};',
      '  Target.prototype = prototype;',
      `  const created = ${construct}(Class, Target);`,
      '  for (const key of Reflect.ownKeys(created)) Reflect.deleteProperty(created, key);',
      '  return created;',
      '}',
      // A subclass puts its fields on whatever its superclass returns.
      `function ${install}(Class, target) {`,
      '  const parent = Object.getPrototypeOf(Class);',
      '  const before = new Set(Reflect.ownKeys(target));',
      '  Object.setPrototypeOf(Class, function () { return target; });',
      `  try { ${construct}(Class, Class); } finally { Object.setPrototypeOf(Class, parent); }`,
      '  for (const key of Reflect.ownKeys(target)) if (!before.has(key)) Reflect.deleteProperty(target, key);',
      '}',
    ];
  }
}

export type Helper = 'restoring' | 'create' | 'install' | 'construct';
