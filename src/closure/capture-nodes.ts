import type { Node, Path } from './graph.ts';
import type { GraphBuilder } from './graph-builder.ts';
import type { FunctionFacts, Scope } from './inspector.ts';

interface NativeAtHand {
  readonly facts: FunctionFacts;
  readonly path: Path;
}

const util = 'process.getBuiltinModule("node:util")';

/** Functions that `node:util` makes around others: the scope that shows it, and what is found there. */
const makers: Readonly<
  Record<string, { readonly maker: string; read(scope: Scope, builder: GraphBuilder): readonly unknown[] }>
> = {
  'Closure (promisify)': { maker: `${util}.promisify`, read: (scope) => [variable(scope, 'original')] },
  'Closure (callbackify)': { maker: `${util}.callbackify`, read: (scope) => [variable(scope, 'original')] },
  'Closure (deprecate)': {
    maker: `${util}.deprecate`,
    read: (scope, { sources }) => {
      const warn = variable(scope, 'emitDeprecationWarning') as Function;
      const around = sources.inspector.facts(warn).scopes;
      return [variable(scope, 'fn'), ...['msg', 'code'].map((name) => around.map((each) => variable(each, name)).find(isText))];
    },
  },
};

const isText = (value: unknown): boolean => typeof value === 'string';

const variable = ({ variables }: Scope, name: string): unknown => Object.getOwnPropertyDescriptor(variables, name)?.value;

/** What an emitter's `once` puts around a listener; its `this` has the emitter, the event and the listener. */
const onceWrapper = `(function onceWrapper() {
  if (this.fired) return;
  this.target.removeListener(this.type, this.wrapFn);
  this.fired = true;
  return this.listener.apply(this.target, arguments);
})`;

/** Captures a function of the language's or Node's that was not found by name. */
export function captureNative(builder: GraphBuilder, fn: Function, { facts, path }: NativeAtHand): Node | undefined {
  const known = findDeep(builder, fn, path);
  if (known !== undefined) return known;
  if (fn.name === 'onceWrapper' && facts.scriptId !== undefined) {
    return builder.register(fn, builder.intrinsic(onceWrapper, path));
  }
  for (const scope of facts.scopes) {
    const made = makers[scope.description];
    if (made === undefined) continue;
    const values = made.read(scope, builder).map((each) => builder.value(each, { parent: path, label: 'wrapped function' }));
    return builder.register(fn, { ...builder.shell(path), kind: 'made', maker: made.maker, values });
  }
  return builder.refuse(path, {
    what: `the native function "${fn.name}", which no global or module of Node leads to`,
    fix: 'get it inside the function, or in `setup`',
  });
}

/** Looks where it takes longer: in what Node loads lazily, in members of members, and in other realms. */
export function findDeep(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const { intrinsics, builtins } = builder.sources;
  if (typeof value === 'function' && intrinsics.find(Reflect.getPrototypeOf(value)) === undefined) intrinsics.learnRealm(value);
  intrinsics.learnLazy();
  builtins.learnDeep();
  return builder.reference(value, path);
}
