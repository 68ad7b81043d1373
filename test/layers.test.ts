import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { packageDir } from '../src/util/package-files.ts';

// Lowest first. A file may import its own room and any lower layer.
const layers = [
  ['errors.ts'],
  ['util', 'protocol'],
  ['log.ts', 'metrics', 'docker'],
  ['closure', 'rpc', 'control'],
  ['bundle'],
  ['image', 'backends', 'serving'],
  ['http'],
  ['server'],
  ['client'],
  ['index.ts'],
];

const roomOf = (file: string): string => file.split('/')[0] ?? '';
const layerOf = (file: string): number => layers.findIndex((rooms) => rooms.includes(roomOf(file)));

function* sources(dir: string): Generator<string> {
  for (const file of readdirSync(join(packageDir, dir), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.ts')) yield file;
  }
}

function* importsOf(path: string): Generator<string> {
  for (const [, target] of readFileSync(path, 'utf8').matchAll(/(?:from|import) ['"]([^'"]+)['"]/g)) yield target ?? '';
}

test('every source file is in a layer, and imports point downwards', () => {
  const wrong: string[] = [];
  for (const file of sources('src')) {
    if (layerOf(file) === -1) wrong.push(`${file} is in no layer`);
    for (const target of importsOf(join(packageDir, 'src', file))) {
      if (!target.startsWith('.')) continue;
      const imported = relative('.', join(dirname(file), target));
      const isAllowed = roomOf(imported) === roomOf(file) || layerOf(imported) < layerOf(file);
      if (!isAllowed) wrong.push(`${file} -> ${imported}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the runtime, which ships into replicas, imports only the protocol, zeromq and Node', () => {
  const allowed = /^(node:|zeromq$|\.\/|\.\.\/src\/protocol\/|\.\.\/src\/errors\.ts$)/;
  const wrong = [...sources('runtime')].flatMap((file) =>
    [...importsOf(join(packageDir, 'runtime', file))]
      .filter((target) => !allowed.test(target))
      .map((target) => `${file} -> ${target}`),
  );
  expect(wrong).toEqual([]);
});
