import { types } from 'node:util';
import type { Node } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { fillShell } from './properties.ts';
import { recipeOf } from './recipes.ts';

/** Returns the expression of the closest object on the prototype chain that the language or Node provides. */
function intrinsicBase({ sources: { intrinsics } }: GraphBuilder, value: object): string | undefined {
  for (let each = Reflect.getPrototypeOf(value); each !== null && !types.isProxy(each); each = Reflect.getPrototypeOf(each)) {
    const found = intrinsics.find(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A URL's `searchParams` belong to the URL and change with it, so they are registered as its member. */
function registerParameters(builder: GraphBuilder, owner: Node, url: URL): void {
  const parameters = Object.getOwnPropertyDescriptor(URL.prototype, 'searchParams')?.get?.call(url) as object;
  if (builder.known(parameters) !== undefined) return;
  owner.references++;
  const shell = builder.shell(owner.path);
  builder.register(parameters, { ...shell, kind: 'member', owner, key: 'searchParams', role: 'value' });
}

/** Captures an object whose internal state a constructor call can recreate. */
export function captureMade(builder: GraphBuilder, value: object, path: Path): Node | undefined {
  const recipe = recipeOf(value, intrinsicBase(builder, value), builder.sources.inspector);
  if (recipe === undefined) return undefined;
  const values = recipe.values.map((each) => builder.value(each, path));
  builder.evaluated.push(...values);
  const node = builder.register(value, { ...builder.shell(path), kind: 'made', maker: recipe.maker, values });
  const isBoxedString = recipe.prototype === 'String.prototype';
  const isNodes = /URL|Text|Headers|DOMException/.test(recipe.prototype);
  const skip = (key: string | symbol, { writable, enumerable }: PropertyDescriptor): boolean =>
    (isBoxedString && writable === false && (enumerable === true || key === 'length')) ||
    (isNodes && typeof key === 'symbol') ||
    (key === 'lastIndex' && (value as RegExp).lastIndex === 0);
  builder.later(() => fillShell(builder, node, value, { usualPrototype: recipe.prototype, skip }));
  if (recipe.prototype === 'URL.prototype') registerParameters(builder, node, value as URL);
  return node;
}
