import { messageOf } from '../../errors.ts';
import type { Node, Value } from '../graph/nodes.ts';
import type { Path } from '../graph/path.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { classNameOf } from './hidden-state.ts';
import { reduce } from './reducers.ts';
import type { Reduced } from './reducers-known.ts';

/** Captures the result of a class's reducer in place of the instance. Returns undefined if the class has no reducer. */
export function readReduced(builder: GraphBuilder, value: object, path: Path): { readonly node: Node | undefined } | undefined {
  let reduced: Reduced | undefined;
  try {
    reduced = reduce(builder.sources, value);
  } catch (error) {
    return {
      node: builder.refuse(path, {
        what: `an instance of ${classNameOf(value)}, whose reducer failed: ${messageOf(error)}`,
        fix: 'mend it',
      }),
    };
  }
  if (reduced === undefined) return undefined;
  if (!Array.isArray(reduced) || typeof reduced[0] !== 'function') {
    const what = `an instance of ${classNameOf(value)}, whose reducer gave no array of a function and its arguments`;
    return { node: builder.refuse(path, { what, fix: 'mend it' }) };
  }
  const [rebuild, ...args] = reduced;
  const values: Value[] = [];
  builder.travelling.add(rebuild);
  const target = builder.value(rebuild, { parent: path, label: 'rebuilt by' });
  const node = builder.register(value, { ...builder.shell(path), kind: 'call', target, values });
  for (const [index, each] of args.entries()) {
    values.push(builder.value(each, { parent: path, label: `reduced to argument ${index}` }));
    builder.evaluated.push(values.at(-1));
  }
  return { node };
}
