import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { packageDir } from '../src/util/package-files.ts';

// Lowest first. A file may import its own room and any room of a lower layer.
const layers = [
  ['errors.ts'],
  ['util', 'protocol'],
  ['log.ts', 'metrics', 'docker'],
  ['contract', 'closure/syntax'],
  ['closure/graph', 'rpc', 'control'],
  ['closure/heap', 'closure/emit'],
  ['closure/capture'],
  ['closure/package-state', 'closure/report'],
  ['closure'],
  ['bundle', 'replicas'],
  ['replicas/process', 'replicas/docker', 'image', 'deployments', 'serving'],
  ['backends.ts'],
  ['http'],
  ['http/query'],
  ['http/management', 'http/open-inference'],
  ['http/ports'],
  ['server'],
  ['client'],
  ['index.ts'],
];

const roomOf = (file: string): string => (file.includes('/') ? dirname(file) : file);
const layerOf = (file: string): number => layers.findIndex((rooms) => rooms.includes(roomOf(file)));

function* sources(dir: string): Generator<string> {
  for (const file of readdirSync(join(packageDir, dir), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.ts')) yield file;
  }
}

/** The files that a file of `src` imports, for their types only or for more. */
function importsOf(file: string): readonly string[] {
  return targetsOf(join(packageDir, 'src', file))
    .filter((target) => /^\.\.?\/[^$]+$/.test(target))
    .map((target) => relative('.', join(dirname(file), target)));
}

function targetsOf(path: string): readonly string[] {
  return [...readFileSync(path, 'utf8').matchAll(/(?:from|import) ['"]([^'"]+)['"]/g)].map(([, target]) => target ?? '');
}

test('every source file is in a layer, and imports point downwards', () => {
  const wrong: string[] = [];
  for (const file of sources('src')) {
    if (layerOf(file) === -1) wrong.push(`${file} is in no layer`);
    for (const imported of importsOf(file)) {
      const isAllowed = roomOf(imported) === roomOf(file) || layerOf(imported) < layerOf(file);
      if (!isAllowed) wrong.push(`${file} -> ${imported}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('no file imports itself by way of others', () => {
  const circles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) return void circles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
    if (finished.has(file)) return;
    for (const imported of importsOf(file)) visit(imported, [...way, file]);
    finished.add(file);
  };
  for (const file of sources('src')) visit(file, []);
  expect(circles).toEqual([]);
});

test('the runtime, which ships into replicas, imports only the protocol, zeromq and Node', () => {
  const allowed = /^(node:|zeromq$|\.\/|\.\.\/src\/protocol\/|\.\.\/src\/errors\.ts$)/;
  const wrong = [...sources('runtime')].flatMap((file) =>
    targetsOf(join(packageDir, 'runtime', file))
      .filter((target) => !allowed.test(target))
      .map((target) => `${file} -> ${target}`),
  );
  expect(wrong).toEqual([]);
});
