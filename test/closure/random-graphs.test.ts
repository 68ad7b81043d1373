import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { bundleClosure } from '../../src/bundle/bundle.ts';
import { describeGraph } from '../helpers/describe-graph.cjs';

/** A node of a random graph: a kind, primitives, and references to other nodes by number. */
const node = fc.record({
  kind: fc.constantFrom('object', 'array', 'map', 'set', 'null', 'instance', 'private', 'frozen', 'error', 'date', 'function'),
  keys: fc.array(fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('__proto__', 'constructor', '0', '10', 'then')), {
    maxLength: 4,
  }),
  primitives: fc.array(
    fc.oneof(
      fc.double(),
      fc.integer(),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
      fc.boolean(),
      fc.constantFrom(null, undefined, -0, Number.NaN, Number.NEGATIVE_INFINITY),
    ),
    { maxLength: 4 },
  ),
  references: fc.array(fc.nat({ max: 1_000 }), { maxLength: 4 }),
});
type GraphNode = typeof node extends fc.Arbitrary<infer T> ? T : never;

class Named {
  readonly label = 'named';
}
class Keeper {
  #kept: unknown[] = [];
  keep(value: unknown): void {
    this.#kept.push(value);
  }
  get kept(): readonly unknown[] {
    return this.#kept;
  }
}

const makers: Record<GraphNode['kind'], () => object> = {
  object: () => ({}),
  array: () => [],
  map: () => new Map(),
  set: () => new Set(),
  null: () => Object.create(null) as object,
  instance: () => new Named(),
  private: () => new Keeper(),
  frozen: () => ({}),
  error: () => Object.assign(new RangeError('random'), { stack: 'cut' }),
  date: () => new Date(86_400_000),
  function: () => {
    let calls = 0;
    return () => ++calls;
  },
};

/** Makes the objects first and links them then, so that there are cycles and shared ones. */
function build(nodes: readonly GraphNode[]): object[] {
  const objects = nodes.map(({ kind }) => makers[kind]());
  for (const [index, { kind, keys, primitives, references }] of nodes.entries()) {
    const object = objects[index] as object;
    const values = [...primitives, ...references.map((each) => objects[each % objects.length])];
    if (object instanceof Map) for (const [at, value] of values.entries()) object.set(values.at(-1 - at), value);
    else if (object instanceof Set) for (const value of values) object.add(value);
    else if (object instanceof Keeper) for (const value of values) object.keep(value);
    else if (Array.isArray(object)) object.push(...values);
    else {
      for (const [at, value] of values.entries()) {
        const key = keys[at] ?? `key${at}`;
        Object.defineProperty(object, key, { value, writable: true, enumerable: at % 3 !== 2, configurable: true });
      }
    }
    if (kind === 'frozen') Object.freeze(object);
  }
  return objects;
}

test('random graphs come through with their values, identity and cycles', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'random-graphs-'));
  try {
    const described: string[] = [];
    const entries: string[] = [];
    const graphs = fc.sample(fc.array(node, { minLength: 1, maxLength: 40 }), { numRuns: 150, seed: 7 });
    // One that is large enough for the table of data.
    graphs.push(fc.sample(fc.array(node, { minLength: 3_000, maxLength: 3_000 }), { numRuns: 1, seed: 11 })[0] ?? []);
    for (const [index, nodes] of graphs.entries()) {
      const objects = build(nodes);
      const { entry } = await bundleClosure(() => objects, { outDir: join(dir, String(index)) });
      entries.push(entry);
      // Which calls functions, and so changes what they close over.
      described.push(describeGraph(objects));
    }
    const list = join(dir, 'entries.json');
    writeFileSync(list, JSON.stringify(entries));
    const args = ['test/helpers/print-graphs.mjs', list];
    const printed = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 })) as string[];
    for (const [index, text] of described.entries()) expect(printed[index]).toBe(text);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
