import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mergeSbom, type Sbom, sbomOf } from '../../src/bundle/sbom.ts';
import { type Bundled, installed, PackageProject } from '../helpers/package-project.ts';

const sbomIn = ({ dir, error }: Bundled): Sbom => {
  if (error !== undefined) throw new Error(error.message);
  return JSON.parse(readFileSync(join(dir, 'sbom.cdx.json'), 'utf8')) as Sbom;
};
const manifestIn = ({ dir }: Bundled) => JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')) as Record<string, unknown>;

const packages = {
  ...installed('node_modules/plain', { version: '1.2.3', license: 'MIT' }, { 'index.js': 'exports.n = require("deep").n;' }),
  ...installed(
    'node_modules/deep',
    { version: '2.0.0+build', license: '(MIT OR GPL-3.0-only)' },
    { 'index.js': 'exports.n = 2;' },
  ),
  ...installed(
    'node_modules/@scope/kept',
    { version: '3.0.0-rc.1', license: 'SEE LICENSE IN LICENSE.md' },
    {
      'index.js': `exports.text = () => require('fs').readFileSync(__dirname + '/d.txt', 'utf8') + require('old').o;`,
      'd.txt': 'text',
    },
  ),
  ...installed(
    'node_modules/old',
    { version: '0.1.0', licenses: [{ type: 'MIT' }, { type: 'ISC' }] },
    { 'index.js': 'exports.o = 0;' },
  ),
  ...installed('node_modules/unused', {}, { 'index.js': '' }),
};
const code = `import { n } from 'plain';\nimport { text } from '@scope/kept';\nconst fn = () => [n, text()]`;

describe('the bill of materials of a bundle', () => {
  test('has the packages that are bundled and kept, with those that they use', async () => {
    await using project = await PackageProject.of(packages);
    const bundle = project.bundle(code);
    expect(sbomIn(bundle)).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 });
    const component = (purl: string, rest: object) => ({ type: 'library', 'bom-ref': purl, purl, ...rest });
    expect(sbomIn(bundle).components).toEqual([
      component('pkg:npm/%40scope/kept@3.0.0-rc.1', {
        group: '@scope',
        name: 'kept',
        version: '3.0.0-rc.1',
        licenses: [{ license: { name: 'SEE LICENSE IN LICENSE.md' } }],
      }),
      component('pkg:npm/deep@2.0.0%2Bbuild', {
        name: 'deep',
        version: '2.0.0+build',
        licenses: [{ expression: '(MIT OR GPL-3.0-only)' }],
      }),
      component('pkg:npm/old@0.1.0', { name: 'old', version: '0.1.0', licenses: [{ expression: '(MIT OR ISC)' }] }),
      component('pkg:npm/plain@1.2.3', { name: 'plain', version: '1.2.3', licenses: [{ license: { id: 'MIT' } }] }),
    ]);
    expect(await project.call(bundle)).toEqual([2, 'text0']);
  });

  test('is part of the digest, named by the manifest, and the same each time', async () => {
    await using project = await PackageProject.of(packages);
    const [first, again] = [project.bundle(code), project.bundle(code)];
    expect(first.files.map(({ path }) => path)).toContain('sbom.cdx.json');
    expect(manifestIn(first)).toMatchObject({ sbom: 'sbom.cdx.json' });
    expect(again.digest).toBe(first.digest);
    project.write(installed('node_modules/plain', { version: '1.2.4', license: 'MIT' }, {}));
    const newer = project.bundle(code);
    expect(newer.digest).not.toBe(first.digest);
    expect(sbomIn(newer).components.map(({ purl }) => purl)).toContain('pkg:npm/plain@1.2.4');
  });

  test('is there, and empty, where no package is used', async () => {
    await using project = await PackageProject.of({});
    const bundle = project.bundle('\nconst fn = () => 1');
    expect(manifestIn(bundle)).toMatchObject({ sbom: 'sbom.cdx.json' });
    expect(sbomIn(bundle).components).toEqual([]);
  });
});

test('a bill of a bundle and one of what is around it merge into one', () => {
  const bundle = sbomOf([{ name: 'b', version: '1.0.0', license: 'MIT' }]);
  const around = [
    { name: 'node', version: '20.0.0', license: 'MIT', type: 'platform', purl: 'pkg:generic/node@20.0.0' } as const,
    { name: 'b', version: '1.0.0', license: 'MIT' },
    { name: 'a' },
  ];
  const merged = mergeSbom(bundle, around, 'image');
  expect(merged.metadata.component).toMatchObject({ type: 'application', name: 'image' });
  expect(merged.components.map(({ type, purl }) => [type, purl])).toEqual([
    ['platform', 'pkg:generic/node@20.0.0'],
    ['library', 'pkg:npm/a'],
    ['library', 'pkg:npm/b@1.0.0'],
  ]);
  expect(mergeSbom(bundle, [...around].reverse(), 'image')).toEqual(merged);
});
