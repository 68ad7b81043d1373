import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmRegistry, type Published } from '../helpers/npm-registry.ts';
import { type Bundled, installed, PackageProject, type ProjectFiles } from '../helpers/package-project.ts';

/** Loads a package by a name that only its caller knows. */
const loads = (name: string) => `const name = ${JSON.stringify(name.split(''))};
  const fn = async () => (await import(name.join(''))).default();`;
const says = (text: string) => ({ 'index.js': `module.exports = () => ${text};` });
const noRegistry = { '.npmrc': 'registry=http://127.0.0.1:9/\nfetch-retries=0\n' };

const top = (version: string, rest: object = {}): Published => ({
  name: 'top',
  version,
  main: 'index.js',
  dependencies: { dep: '^1.0.0' },
  files: says(`['top ${version}', require('dep')()]`),
  ...rest,
});
const dep = (version: string): Published => ({ name: 'dep', version, main: 'index.js', files: says(`'dep ${version}'`) });
const published = [top('1.0.0'), top('1.1.0'), top('2.0.0'), dep('1.0.0'), dep('1.1.0')];

const lockOf = (...packages: Published[]): ProjectFiles => {
  const entries = packages.map(({ files: _files, main: _main, ...entry }) => [
    `node_modules/${entry.name}`,
    { ...entry, name: undefined },
  ]);
  const dependencies = { top: '^1.0.0' };
  return {
    'package.json': JSON.stringify({ name: 'user', private: true, dependencies }),
    'package-lock.json': JSON.stringify({
      lockfileVersion: 3,
      packages: { '': { dependencies }, ...Object.fromEntries(entries) },
    }),
  };
};
const asInstalled = ({ name, files = {}, ...json }: Published): ProjectFiles => installed(`node_modules/${name}`, json, files);

/** Bundles with a folder for temporary files of its own, and says what is left there. */
function bundleIn(project: PackageProject, code: string, options: object): { bundle: Bundled; left: string[] } {
  const temporary = `${project.path('')}-temporary`;
  mkdirSync(temporary, { recursive: true });
  const bundle = project.bundle(`process.env.TMPDIR = ${JSON.stringify(temporary)};\n${code}`, options);
  // From Node 22 on, npm keeps its compiled code there.
  return { bundle, left: readdirSync(temporary).filter((name) => name !== 'node-compile-cache') };
}

describe('packages that are installed', () => {
  test('come from the project, with what they need, and without a network', async () => {
    await using project = await PackageProject.of({
      ...noRegistry,
      ...asInstalled(top('1.0.0')),
      ...asInstalled(dep('1.0.0')),
      ...installed('node_modules/unused', {}, says('0')),
    });
    const bundle = project.bundle(loads('top'), { packages: ['top'] });
    const paths = bundle.files.map(({ path }) => path).filter((path) => path.startsWith('node_modules/'));
    expect(paths).toEqual(
      ['dep', 'top'].flatMap((name) => ['index.js', 'package.json'].map((file) => `node_modules/${name}/${file}`)),
    );
    expect(readFileSync(join(bundle.dir, 'sbom.cdx.json'), 'utf8')).toContain('pkg:npm/dep@1.0.0');
    expect(await project.call(bundle)).toEqual(['top 1.0.0', 'dep 1.0.0']);
  });

  test('are found by `require` of a computed name, and are one with what the function uses of them', async () => {
    await using project = await PackageProject.of({
      ...noRegistry,
      ...installed(
        'node_modules/data',
        {},
        {
          'index.js': `exports.list = []; exports.text = require('fs').readFileSync(__dirname + '/d.txt', 'utf8');`,
          'other.js': 'module.exports = "other";',
          'd.txt': 'text',
        },
      ),
    });
    const bundle = project.bundle(
      `import { createRequire } from 'node:module';
      import data from 'data';
      const require = createRequire(import.meta.url), name = 'data';
      const fn = () => [require(name).list === data.list, require(name + '/other.js'), data.text];`,
      { packages: ['data'] },
    );
    expect(await project.call(bundle)).toEqual([true, 'other', 'text']);
  });

  test('are found in a layout of links, and beside a workspace', async () => {
    await using project = await PackageProject.of({
      ...noRegistry,
      ...installed('packages/app', {}, {}),
      ...installed('node_modules/.pnpm/dep@1.0.0/node_modules/dep', {}, says('"linked dep"')),
      ...installed('node_modules/.pnpm/top@1.0.0/node_modules/top', { dependencies: { dep: '1' } }, says(`require('dep')()`)),
      'node_modules/.pnpm/top@1.0.0/node_modules/dep': '-> ../../dep@1.0.0/node_modules/dep',
      'packages/app/node_modules/x': '',
      'packages/app/node_modules/top': '-> ../../../node_modules/.pnpm/top@1.0.0/node_modules/top',
    });
    const bundle = project.bundle(loads('top'), { packages: ['top@^1'], file: 'packages/app/main.mjs' });
    expect(await project.call(bundle)).toBe('linked dep');
  });
});

test('packages of a workspace may not be of another version than those that are kept for the function', async () => {
  await using project = await PackageProject.of({
    ...noRegistry,
    ...installed(
      'node_modules/uses',
      {},
      {
        'index.js': `exports.all = () => [require('fs').readFileSync(__dirname + '/u.txt', 'utf8'), require('dep')()];`,
        'u.txt': 'text',
      },
    ),
    ...installed('node_modules/dep', { version: '1.0.0' }, says('1')),
    ...installed('packages/app', {}, {}),
    ...installed('packages/app/node_modules/dep', { version: '2.0.0' }, says('2')),
  });
  const code = `import { all } from 'uses';\nconst fn = () => all();`;
  const { error } = project.bundle(code, { packages: ['dep'], file: 'packages/app/main.mjs' });
  expect(error?.code).toBe('E_BUNDLE_FAILED');
  expect(error?.message).toMatch(/dep@2\.0\.0, .*dep@1\.0\.0, .*Fix: /s);
});

describe('packages that npm installs', () => {
  test('have the versions of the lock file, with what they need; nothing is left', async () => {
    await using registry = await npmRegistry(published);
    await using project = await PackageProject.of({ '.npmrc': registry.npmrc, ...lockOf(top('1.0.0'), dep('1.0.0')) });
    const { bundle, left } = bundleIn(project, loads('top'), { packages: ['top'] });
    expect(bundle.error).toBeUndefined();
    expect(left).toEqual([]);
    expect(bundle.files.map(({ path }) => path).filter((path) => /npmrc|package-lock|\.bin/.test(path))).toEqual([]);
    expect(await project.call(bundle)).toEqual(['top 1.0.0', 'dep 1.0.0']);
  });

  test.each([
    ['the range that is asked for', ['top@~1.1'], {}, 'top 1.1.0'],
    ['the range that package.json gives', ['top'], { dependencies: { top: '1.0.0' } }, 'top 1.0.0'],
    ['the latest one', ['top'], {}, 'top 2.0.0'],
  ])('are of %s, without a lock file', async (_, packages, json, expected) => {
    await using registry = await npmRegistry(published);
    await using project = await PackageProject.of({ '.npmrc': registry.npmrc, 'package.json': JSON.stringify(json) });
    expect(await project.call(project.bundle(loads('top'), { packages }))).toEqual([expected, 'dep 1.1.0']);
  });

  test('are of the version that is asked for, also where another one is locked and installed', async () => {
    await using registry = await npmRegistry(published);
    const locked = [top('1.0.0'), dep('1.0.0')] as const;
    await using project = await PackageProject.of({
      '.npmrc': registry.npmrc,
      ...lockOf(...locked),
      ...asInstalled(locked[0]),
      ...asInstalled(locked[1]),
    });
    expect(await project.call(project.bundle(loads('top'), { packages: ['top@2'] }))).toEqual(['top 2.0.0', 'dep 1.1.0']);
  });

  test('are those for the target: with its binaries, and the versions that are installed here', async () => {
    const variant = (name: string, where: object): Published => ({ name, version: '1.0.0', ...where, files: { 'b.node': name } });
    const names = ['b-linux-x64', 'b-linuxmusl-x64', 'b-darwin-arm64'];
    await using registry = await npmRegistry([
      ...published.map((each) => ({ ...each, optionalDependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])) })),
      variant('b-linux-x64', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }),
      variant('b-linuxmusl-x64', { os: ['linux'], cpu: ['x64'], libc: ['musl'] }),
      variant('b-darwin-arm64', { os: ['darwin'], cpu: ['arm64'] }),
    ]);
    await using project = await PackageProject.of({
      '.npmrc': registry.npmrc,
      ...asInstalled(top('1.0.0')),
      ...asInstalled(dep('1.0.0')),
    });
    const binariesFor = (target: object): string[] => {
      const { files, error } = project.bundle(loads('top'), { packages: ['top'], target });
      return error !== undefined ? [error.message] : files.map(({ path }) => path).filter((path) => path.endsWith('.node'));
    };
    expect(binariesFor({ platform: 'linux', arch: 'x64', libc: 'musl' })).toEqual(['node_modules/b-linuxmusl-x64/b.node']);
    const mac = { platform: 'darwin', arch: 'arm64' };
    expect(binariesFor(mac)).toEqual(['node_modules/b-darwin-arm64/b.node']);
    expect(await project.call(project.bundle(loads('top'), { packages: ['top'], target: mac }))).toEqual([
      'top 1.0.0',
      'dep 1.0.0',
    ]);
  });

  const kept = (version: string): Published => ({
    name: 'data',
    version,
    main: 'index.js',
    files: {
      'index.js': `exports.text = () => require('fs').readFileSync(__dirname + '/d.txt', 'utf8');`,
      'd.txt': 'text',
      'other.js': '1',
    },
  });
  const useData = `import { text } from 'data';\nconst fn = () => text();`;
  const elsewhere = { platform: 'sunos', arch: 'x64' };

  test('lie with what the function uses of the same ones', async () => {
    await using registry = await npmRegistry([kept('1.0.0'), kept('2.0.0')]);
    await using project = await PackageProject.of({ '.npmrc': registry.npmrc, ...asInstalled(kept('1.0.0')) });
    const bundle = project.bundle(useData, { packages: ['data'], target: elsewhere });
    const paths = bundle.files.map(({ path }) => path).filter((path) => path.startsWith('node_modules/'));
    expect(paths).toEqual(['d.txt', 'index.js', 'other.js', 'package.json'].map((name) => `node_modules/data/${name}`));
    expect(await project.call(bundle)).toBe('text');
  });

  test.each([
    ['for this platform', {}],
    ['for another one', { target: elsewhere }],
  ])('are one with what is bundled of them otherwise, %s', async (_, options) => {
    const plain = { name: 'plain', version: '1.0.0', main: 'index.js', files: { 'index.js': 'exports.list = [];' } };
    await using registry = await npmRegistry([plain]);
    await using project = await PackageProject.of({ '.npmrc': registry.npmrc, ...asInstalled(plain) });
    const bundle = project.bundle(
      `import { list } from 'plain';
      const name = ['pl', 'ain'];
      const fn = async () => (await import(name.join(''))).list === list;`,
      { packages: ['plain'], ...options },
    );
    expect(await project.call(bundle)).toBe(true);
  });

  test('may not be of another version than those that are kept for the function', async () => {
    await using registry = await npmRegistry([kept('1.0.0'), kept('2.0.0')]);
    await using project = await PackageProject.of({ '.npmrc': registry.npmrc, ...asInstalled(kept('1.0.0')) });
    const { error } = project.bundle(useData, { packages: ['data@2'] });
    expect(error?.code).toBe('E_BUNDLE_FAILED');
    expect(error?.message).toMatch(/data@2\.0\.0.*data@1\.0\.0.*Fix: /s);
  });

  test('that there are none of end in what npm said of it', async () => {
    await using registry = await npmRegistry(published);
    await using project = await PackageProject.of({ '.npmrc': registry.npmrc });
    const { bundle, left } = bundleIn(project, loads('none'), { packages: ['none'] });
    expect(bundle.error?.code).toBe('E_BUNDLE_FAILED');
    expect(bundle.error?.message).toMatch(/E404.*none.*Fix: .*npm view/s);
    expect(left).toEqual([]);
  });

  test('need an npm', async () => {
    await using project = await PackageProject.of(noRegistry);
    const withoutNpm = `process.execPath = ${JSON.stringify(project.path('bin/node'))}; process.env.PATH = '/nowhere';`;
    const { error } = project.bundle(`${loads('top')}\n${withoutNpm}`, { packages: ['top'] });
    expect(error?.code).toBe('E_BUNDLE_FAILED');
    expect(error?.message).toMatch(/no npm is found beside .*Fix: install npm/s);
  });

  test('are installed once for one list', async () => {
    await using registry = await npmRegistry(published);
    await using project = await PackageProject.of({ '.npmrc': `${registry.npmrc}prefer-online=true\n` });
    const again = `const outDir = ${JSON.stringify(`${project.path('')}-again`)};
      const bundles = await Promise.all([1, 2].map((n) => clipper.bundleClosure(fn, { outDir: outDir + n, packages: ['top'] })));`;
    const { error } = project.bundle(`${loads('top')}\n${again}`, { packages: ['top'] });
    expect(error).toBeUndefined();
    expect(registry.requests().filter((path) => path === '/top')).toHaveLength(1);
  });

  test('are given up with the deploy: npm ends, and nothing is left', async () => {
    await using registry = await npmRegistry(published);
    await using project = await PackageProject.of({ '.npmrc': `registry=${registry.url}hang/\n` });
    const temporary = project.path('temporary');
    mkdirSync(temporary);
    const printed = project.run(`
      import { execSync } from 'node:child_process';
      import { readdirSync } from 'node:fs';
      const clip = await clipper.startClipper({ name: 'added-' + process.pid, queryPort: 0, managementPort: 0, rpcPort: 0 });
      process.env.TMPDIR = ${JSON.stringify(temporary)};
      const runs = () => execSync('ps -eo ppid,args', { encoding: 'utf8' }).split('\\n')
        .filter((line) => Number.parseInt(line, 10) === process.pid && / npm install|npm-cli/.test(line)).length;
      try {
        const controller = new AbortController();
        const options = { name: 'm', inputType: 'doubles', predictOne: () => 1, packages: ['top'], signal: controller.signal };
        const deploying = clipper.deployPredictFunction(clip, { ...options, onProgress() {} }).catch(({ code }) => code);
        while (runs() === 0) await new Promise((resolve) => setTimeout(resolve, 50));
        controller.abort();
        console.log(JSON.stringify({ code: await deploying, runs: runs(), left: readdirSync(process.env.TMPDIR).filter((name) => name !== 'node-compile-cache') }));
      } finally {
        await clip.close();
      }`);
    expect(printed).toEqual({ code: 'E_CANCELLED', runs: 0, left: [] });
  });
});

describe('the option', () => {
  test.each([
    [['./local'], 'packages.0: must be the name of an npm package'],
    [['lodash', 'https://example.com/x.tgz'], 'packages.1: must be the name'],
    [['lodash@git+https://example.com/x'], 'got "lodash@git+https'],
    [['a@file:../a'], 'must be the name'],
    [['../../etc'], 'must be the name'],
    [[3], 'packages.0: must be the name'],
    [['a@1', 'a@2'], 'a is listed with 1 too'],
    ['lodash', "must be 'auto' or a list"],
  ])('takes names of packages, and not %j', async (packages, expected) => {
    await using project = await PackageProject.of({});
    const { error } = project.bundle('\nconst fn = () => 1', { packages });
    expect(error).toMatchObject({ code: 'E_INVALID_OPTION', message: expect.stringContaining(expected) });
  });

  test("adds nothing where it is 'auto'", async () => {
    await using project = await PackageProject.of(asInstalled(dep('1.0.0')));
    const bundles = [{}, { packages: 'auto' }, { packages: [] }].map((options) =>
      project.bundle('\nconst fn = () => 1', options),
    );
    expect(new Set(bundles.map(({ digest }) => digest)).size).toBe(1);
  });
});
