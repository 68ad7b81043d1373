import type { Node } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { FunctionFacts } from '../heap/inspector.ts';
import { peekVariable, type Scope } from '../heap/scopes.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { fillShell } from './properties.ts';

interface NativeAtHand {
  readonly facts: FunctionFacts;
  readonly path: Path;
}

const util = 'process.getBuiltinModule("node:util")';

/**
 * Functions that Node wraps around others, by the description of the scope that identifies the wrapper: how to create the
 * wrapper, and how to read the wrapped values from the scope.
 */
const makers: Readonly<
  Record<
    string,
    { readonly maker: string; read(scope: Scope, builder: GraphBuilder, around: readonly Scope[]): readonly unknown[] }
  >
> = {
  'Closure (promisify)': { maker: `${util}.promisify`, read: (scope) => [peekVariable(scope, 'original')] },
  'Closure (callbackify)': { maker: `${util}.callbackify`, read: (scope) => [peekVariable(scope, 'original')] },
  'Closure (deprecate)': {
    maker: `${util}.deprecate`,
    read: (scope, { sources }, scopes) => {
      const warn = scopes.map((each) => peekVariable(each, 'emitDeprecationWarning')).find((each) => typeof each === 'function');
      if (warn === undefined) return [peekVariable(scope, 'fn')];
      const around = sources.inspector.facts(warn as Function).scopes;
      return [
        peekVariable(scope, 'fn'),
        ...['msg', 'code'].map((name) => around.map((each) => peekVariable(each, name)).find(isText)),
      ];
    },
  },
};

const isText = (value: unknown): boolean => typeof value === 'string';

/** The wrapper that an emitter's `once` puts around a listener. Its `this` holds the emitter, the event and the listener. */
const onceWrapper = `(function onceWrapper() {
  if (this.fired) return;
  this.target.removeListener(this.type, this.wrapFn);
  this.fired = true;
  return this.listener.apply(this.target, arguments);
})`;

/** The same wrapper as of Node 24: a closure that has the listener as a member and that the emitter calls as its own method. */
const onceMaker = `((type, fired) => function wrapper(...args) {
  if (fired) return;
  fired = true;
  this.removeListener(type, wrapper);
  return wrapper.listener.apply(this, args);
})`;

function captureOnce(builder: GraphBuilder, fn: Function, { scope, path }: { scope: Scope; path: Path }): Node {
  const values = ['type', 'fired'].map((name) => builder.value(peekVariable(scope, name), { parent: path, label: name }));
  const node = builder.register(fn, { ...builder.shell(path), kind: 'made', maker: onceMaker, values });
  const skip = (key: string | symbol): boolean => key !== 'listener';
  builder.later(() => fillShell(builder, node, fn, { usualPrototype: 'Function.prototype', skip }));
  return node;
}

/** Captures a function of the language or Node that couldn't be found by name. */
export function captureNative(builder: GraphBuilder, fn: Function, { facts, path }: NativeAtHand): Node | undefined {
  const known = findDeep(builder, fn, path);
  if (known !== undefined) return known;
  if (fn.name === 'onceWrapper' && facts.scriptId !== undefined) {
    return builder.register(fn, builder.intrinsic(onceWrapper, path));
  }
  for (const scope of facts.scopes) {
    if (scope.description === 'Closure (_onceWrap)') return captureOnce(builder, fn, { scope, path });
    const made = makers[scope.description];
    if (made === undefined) continue;
    const values = made
      .read(scope, builder, facts.scopes)
      .map((each) => builder.value(each, { parent: path, label: 'wrapped function' }));
    return builder.register(fn, { ...builder.shell(path), kind: 'made', maker: made.maker, values });
  }
  return builder.refuse(path, {
    what: `the native function "${fn.name}", which no global or module of Node leads to`,
    fix: 'get it inside the function, or in `setup`',
  });
}

/** Searches the slow places: lazily loaded globals, nested members, and other realms. */
export function findDeep(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const { intrinsics, builtins } = builder.sources;
  if (typeof value === 'function' && intrinsics.find(Reflect.getPrototypeOf(value)) === undefined) intrinsics.learnRealm(value);
  intrinsics.learnLazy();
  builtins.learnDeep();
  return builder.reference(value, path);
}
