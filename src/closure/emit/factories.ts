import type { CapturedClosure } from '../graph/closure.ts';
import type { Binding, FunctionNode, Value } from '../graph/nodes.ts';
import type { Names } from './names.ts';

/** Creates functions with the same text that differ only in some of their own variables. */
interface Factory {
  /** Variables that differ between the functions, by the name in their text. */
  readonly own: readonly string[];
  /** The function whose text and names the factory uses. */
  readonly model: FunctionNode;
  name: string | undefined;
}

/**
 * Functions that one place of a program creates repeatedly share their code and its optimizations in the engine. To keep that,
 * one function in the bundle creates them, with the variables that only they see as arguments.
 */
export class Factories {
  readonly #factories = new Map<FunctionNode, Factory>();
  readonly #names: Names;

  constructor({ functions, live }: CapturedClosure, names: Names) {
    this.#names = names;
    const uses = new Map<Binding | undefined, number>();
    for (const { binding } of live) uses.set(binding, 2);
    for (const { captures } of functions) {
      for (const { binding } of captures.values()) uses.set(binding, (uses.get(binding) ?? 0) + 1);
    }
    for (const alike of groups(functions)) {
      const [model] = alike;
      const own = model === undefined ? undefined : ownVariables(alike, uses);
      if (model === undefined || own === undefined) continue;
      const factory: Factory = { own, model, name: undefined };
      for (const node of alike) this.#factories.set(node, factory);
    }
  }

  /** Returns the values of a function's own variables, if a factory creates the function. */
  ownValues(node: FunctionNode): readonly Value[] | undefined {
    return this.#factories.get(node)?.own.map((name) => node.captures.get(name)?.value);
  }

  ownBindings(node: FunctionNode): readonly Binding[] {
    const { own = [] } = this.#factories.get(node) ?? {};
    return own.flatMap((name) => node.captures.get(name)?.binding ?? []);
  }

  /** Returns the name of a function's factory, and the statement that creates the factory on first use. */
  use(node: FunctionNode, expression: (model: FunctionNode) => string): { readonly name: string; readonly statement?: string } {
    const factory = this.#factories.get(node);
    if (factory === undefined) throw new TypeError('This function has no factory');
    if (factory.name !== undefined) return { name: factory.name };
    factory.name = this.#names.fresh('make');
    const parameters = this.ownBindings(factory.model).map((binding) => this.#names.of(binding));
    return {
      name: factory.name,
      statement: `const ${factory.name} = (${parameters.join(', ')}) => ${expression(factory.model)};`,
    };
  }
}

function groups(functions: readonly FunctionNode[]): Iterable<readonly FunctionNode[]> {
  const found = new Map<unknown, Map<string, FunctionNode[]>>();
  for (const node of functions) {
    const { syntax, host, moduleCalls, place } = node;
    const isPlain = syntax.form === 'expression' && syntax.kind !== 'class' && !syntax.usesEval && !syntax.usesOuterSuper;
    if (!isPlain || host !== undefined || moduleCalls.some((value) => value !== undefined)) continue;
    const byPlace = found.get(syntax) ?? new Map<string, FunctionNode[]>();
    found.set(syntax, byPlace);
    const alike = byPlace.get(place);
    if (alike === undefined) byPlace.set(place, [node]);
    else alike.push(node);
  }
  return [...found.values()].flatMap((byPlace) => [...byPlace.values()].filter(({ length }) => length > 1));
}

/**
 * Returns the names of the variables in which functions of one text differ, or undefined if other functions use one of them
 * too.
 */
function ownVariables(
  alike: readonly FunctionNode[],
  uses: ReadonlyMap<Binding | undefined, number>,
): readonly string[] | undefined {
  const own: string[] = [];
  for (const name of alike[0]?.captures.keys() ?? []) {
    const bindings = new Set(alike.map(({ captures }) => captures.get(name)?.binding));
    if (bindings.size === 1) continue;
    const areOwn = [...bindings].every((binding) => binding !== undefined && !binding.uninitialized && uses.get(binding) === 1);
    if (!areOwn || bindings.size < alike.length || name.includes('.')) return undefined;
    own.push(name);
  }
  return own;
}
