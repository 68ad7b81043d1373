import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packageDir } from '../../src/util/package-files.ts';
import { type Bundled, installed, PackageProject } from '../helpers/package-project.ts';

const pathsOf = ({ files }: Bundled): string[] =>
  files.map(({ path }) => path).filter((path) => path.startsWith('node_modules/'));

/** Exports `add(a, b)`. */
const adder = Buffer.from('AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABagsACgRuYW1lAgMBAAA=', 'base64');

const withData = installed(
  'node_modules/data',
  {},
  {
    'index.js': `const { readFileSync } = require('fs'); const { join } = require('path');
    exports.words = () => readFileSync(join(__dirname, 'words.txt'), 'utf8').trim().split(' ');`,
    'words.txt': 'one two\n',
    'unused.txt': 'nothing reads this',
  },
);

describe('a package that is kept as files', () => {
  test('reads its data by __dirname', async () => {
    await using project = await PackageProject.of(withData);
    const bundle = project.bundle(`import { words } from 'data';\nconst fn = () => words()`);
    expect(pathsOf(bundle)).toEqual([
      'node_modules/data/index.js',
      'node_modules/data/package.json',
      'node_modules/data/words.txt',
    ]);
    expect(await project.call(bundle)).toEqual(['one', 'two']);
  });

  test('compiles its wasm, found by import.meta.url of an ES module', async () => {
    await using project = await PackageProject.of(
      installed(
        'node_modules/wasm',
        { type: 'module', exports: { import: './lib.js' } },
        {
          'lib.js': `import { readFile } from 'node:fs/promises';
          const { instance } = await WebAssembly.instantiate(await readFile(new URL('./add.wasm', import.meta.url)));
          export const add = instance.exports.add; export default class Adder { add(a, b) { return add(a, b); } }`,
          'add.wasm': adder,
        },
      ),
    );
    const bundle = project.bundle(`import Adder, { add } from 'wasm';\nimport * as all from 'wasm';
      const fn = () => [add(1, 2), new Adder().add(3, 4), all.default === Adder, Object.keys(all)]`);
    expect(await project.call(bundle)).toEqual([3, 7, true, ['add', 'default']]);
  });

  test('compiles wasm whose name is put to its folder later', async () => {
    await using project = await PackageProject.of(
      installed(
        'node_modules/emscripten',
        {},
        {
          'index.js': `const options = {}; const here = typeof __dirname === 'string' ? __dirname + '/' : ''; options.at = here;
          const locate = (name) => options.locate ? options.locate(name) : options.at + name;
          exports.add = (a, b) => new WebAssembly.Instance(new WebAssembly.Module(require('fs').readFileSync(locate("add.wasm")))).exports.add(a, b);`,
          'add.wasm': adder,
          'other.wasm': adder,
        },
      ),
    );
    const bundle = project.bundle(`import { add } from 'emscripten';\nconst fn = () => add(1, 2);`);
    expect(pathsOf(bundle).filter((path) => path.endsWith('.wasm'))).toEqual(['node_modules/emscripten/add.wasm']);
    expect(await project.call(bundle)).toBe(3);
  });

  test('brings an ES module along that imports it', async () => {
    await using project = await PackageProject.of({
      ...installed(
        'node_modules/inner',
        { type: 'module', main: 'i.js' },
        {
          'i.js': `import { readFileSync } from 'node:fs'; export default JSON.parse(readFileSync(new URL('d.json', import.meta.url)));`,
          'd.json': '[1]',
        },
      ),
      ...installed(
        'node_modules/outer',
        { type: 'module', main: 'o.js' },
        {
          'o.js': `import data from 'inner'; export const first = () => data[0];`,
        },
      ),
    });
    expect(await project.call(project.bundle(`import { first } from 'outer';\nconst fn = () => first()`))).toBe(1);
  });

  test('loads its parts by computed names', async () => {
    await using project = await PackageProject.of(
      installed(
        'node_modules/parts',
        {},
        {
          'index.js': `exports.part = (name) => require('./parts/' + name).value;`,
          'parts/a.js': 'exports.value = "A" + require("./deep/c").value;',
          'parts/b.js': 'exports.value = "B";',
          'parts/deep/c.js': 'exports.value = "C";',
        },
      ),
    );
    const bundle = project.bundle(`import parts from 'parts';\nconst fn = () => ['a', 'b'].map((name) => parts.part(name))`);
    expect(bundle.warnings).toEqual([]);
    expect(await project.call(bundle)).toEqual(['AC', 'B']);
  });

  test('starts its worker', async () => {
    await using project = await PackageProject.of(
      installed(
        'node_modules/threads',
        {},
        {
          'index.js': `const { Worker } = require('worker_threads'); const path = require('path');
          exports.ask = () => new Promise((resolve, reject) =>
            new Worker(path.join(__dirname, 'worker.js')).once('message', resolve).once('error', reject));`,
          'worker.js': `require('worker_threads').parentPort.postMessage(require('./answer'));`,
          'answer.js': 'module.exports = 42;',
        },
      ),
    );
    expect(await project.call(project.bundle(`import { ask } from 'threads';\nconst fn = () => ask()`))).toBe(42);
  });

  test('resolves what it uses as it did in a layout of links', async () => {
    const store = (name: string, version: string): string => `node_modules/.pnpm/${name}@${version}/node_modules/${name}`;
    const dep = (version: string) =>
      installed(store('dep', version), { version }, { 'index.js': `exports.v = '${version}'; exports.at = new Map();` });
    await using project = await PackageProject.of({
      ...dep('1.0.0'),
      ...dep('2.0.0'),
      ...installed(
        store('data', '1.0.0'),
        {},
        {
          'index.js': `exports.all = () => [require('fs').readFileSync(__dirname + '/d.txt', 'utf8'), require('dep').v]; exports.dep = require('dep');`,
          'd.txt': 'text',
        },
      ),
      'node_modules/.pnpm/data@1.0.0/node_modules/dep': '-> ../../dep@1.0.0/node_modules/dep',
      'node_modules/data': '-> .pnpm/data@1.0.0/node_modules/data',
      'node_modules/dep': '-> .pnpm/dep@2.0.0/node_modules/dep',
    });
    const bundle = project.bundle(`import data from 'data';\nimport dep from 'dep';\nconst fn = () => [...data.all(), dep.v]`);
    expect(bundle.files.find(({ link }) => link !== undefined)).toMatchObject({
      path: 'node_modules/.pnpm/data@1.0.0/node_modules/dep',
      link: '../../dep@1.0.0/node_modules/dep',
    });
    expect(await project.call(bundle)).toEqual(['text', '1.0.0', '2.0.0']);
  });

  test('resolves what it uses from a workspace and from folders above', async () => {
    await using project = await PackageProject.of({
      ...installed('node_modules/hoisted', {}, { 'index.js': 'exports.name = "hoisted";' }),
      ...installed(
        'packages/lib',
        {},
        {
          'index.js': `exports.text = require('fs').readFileSync(__dirname + '/lib.txt', 'utf8'); exports.up = require('hoisted').name;`,
          'lib.txt': 'from lib',
        },
      ),
      'node_modules/lib': '-> ../packages/lib',
      ...installed('packages/app', {}, {}),
      ...installed(
        'packages/app/node_modules/uses',
        {},
        {
          'index.js': `const lib = require('lib'); exports.all = () => [lib.text, lib.up, require('fs').readFileSync(__dirname + '/u.txt', 'utf8')];`,
          'u.txt': 'own',
        },
      ),
    });
    const bundle = project.bundle(`import uses from 'uses';\nconst fn = () => uses.all()`, { file: 'packages/app/main.mjs' });
    expect(await project.call(bundle)).toEqual(['from lib', 'hoisted', 'own']);
  });

  test('has the nested versions of what it uses, each once', async () => {
    const dep = (dir: string, version: string) => installed(dir, { version }, { 'index.js': `exports.v = '${version}';` });
    await using project = await PackageProject.of({
      ...dep('node_modules/dep', '2.0.0'),
      ...dep('node_modules/data/node_modules/dep', '1.0.0'),
      ...installed(
        'node_modules/data',
        {},
        {
          'index.js': `exports.data = require('fs').readFileSync(__dirname + '/d.txt', 'utf8'); exports.dep = require('dep'); exports.shared = require('shared');`,
          'd.txt': 'text',
        },
      ),
      ...installed('node_modules/shared', {}, { 'index.js': 'exports.list = [];' }),
      ...installed('node_modules/pure', {}, { 'index.js': 'exports.shared = require("shared");' }),
    });
    const bundle = project.bundle(`import data from 'data';\nimport dep from 'dep';\nimport pure from 'pure';
      const fn = () => [data.data, data.dep.v, dep.v, pure.shared === data.shared]`);
    expect(pathsOf(bundle)).not.toContain('node_modules/pure/index.js');
    expect(await project.call(bundle)).toEqual(['text', '1.0.0', '2.0.0', true]);
  });

  test('keeps what modules of it keep to themselves', async () => {
    const hidden = (open: string) => `const table = { n: 1 }; ${open} function bump() { return ++table.n; }`;
    await using project = await PackageProject.of({
      ...installed(
        'node_modules/data',
        {},
        {
          'index.js': `${hidden('exports.text = require("fs").readFileSync(__dirname + "/d.txt", "utf8"); exports.make = () => () => bump();')}`,
          'd.txt': 'text',
        },
      ),
      ...installed(
        'node_modules/esm',
        { type: 'module', main: 'e.js' },
        {
          'e.js': `import { readFileSync } from 'node:fs'; export const data = readFileSync(new URL('d.txt', import.meta.url), 'utf8');
          ${hidden('export const make = () => () => bump();')}`,
          'd.txt': 'text',
        },
      ),
    });
    const bundle = project.bundle(`import data from 'data';\nimport { make } from 'esm';\nconst one = data.make(), other = make();
      const fn = () => [one(), data.make()(), other(), make()()]`);
    expect(await project.call(bundle)).toEqual([2, 3, 2, 3]);
  });

  test('is described by the manifest, and part of the digest', async () => {
    await using project = await PackageProject.of({
      ...withData,
      'node_modules/data/bin/tool': '#!/bin/sh\necho tool\n',
      'node_modules/data/tool.js': `exports.tool = require('path').join(__dirname, 'bin/tool');`,
    });
    const lines = `import { words } from 'data';\nimport { tool } from 'data/tool.js';\nconst fn = () => [words(), tool]`;
    const first = project.bundle(lines);
    const again = project.bundle(lines);
    project.write({ 'node_modules/data/words.txt': 'three\n' });
    const other = project.bundle(lines);
    expect(again.digest).toBe(first.digest);
    expect(other.digest).not.toBe(first.digest);
    for (const { path, bytes, sha256 } of first.files) {
      const contents = readFileSync(join(first.dir, path));
      expect([contents.length, createHash('sha256').update(contents).digest('hex')]).toEqual([bytes, sha256]);
    }
    expect(first.files.find(({ path }) => path.endsWith('/tool'))).toMatchObject({ executable: true });
    expect(statSync(join(first.dir, 'node_modules/data/bin/tool')).mode & 0o111).toBe(0o111);
    expect(statSync(join(first.dir, 'node_modules/data/words.txt')).mode & 0o111).toBe(0);
  });

  test('goes when another bundle takes the place', async () => {
    await using project = await PackageProject.of({
      ...installed(
        'node_modules/.store/data',
        {},
        {
          'index.js': `exports.text = () => require('fs').readFileSync(__dirname + '/d.txt', 'utf8') + require('dep');`,
          'd.txt': 'text',
        },
      ),
      ...installed('node_modules/.store/dep', {}, { 'index.js': 'module.exports = 1;' }),
      'node_modules/dep': '-> .store/dep',
      'node_modules/data': '-> .store/data',
    });
    const lines = `import { text } from 'data';\nconst fn = () => text()`;
    const { dir } = project.bundle(lines);
    expect(lstatSync(join(dir, 'node_modules/dep')).isSymbolicLink()).toBe(true);
    expect(project.bundle(lines, { outDir: dir }).error).toBeUndefined();
    project.bundle('\nconst fn = () => 1', { outDir: dir });
    expect(readdirSync(dir).filter((name) => name !== 'manifest.json')).toEqual([
      'closure.mjs',
      'closure.mjs.map',
      'sbom.cdx.json',
    ]);
  });

  test('is not mixed with what is installed in the folder', async () => {
    await using project = await PackageProject.of(withData);
    const { error } = project.bundle(`import { words } from 'data';\nconst fn = () => words()`, { outDir: project.path('') });
    expect(error).toMatchObject({ code: 'E_BUNDLE_FAILED', message: expect.stringContaining('empty folder') });
    expect(existsSync(project.path('node_modules/data/words.txt'))).toBe(true);
  });

  test('is a native addon, which works where nothing is installed', async () => {
    await using project = await PackageProject.of({});
    mkdirSync(project.path('node_modules'));
    for (const name of ['zeromq', 'cmake-ts', 'node-addon-api']) {
      project.write({ [`node_modules/${name}`]: `-> ${join(packageDir, 'node_modules', name)}` });
    }
    const bundle = project.bundle(
      `import * as zmq from 'zeromq';
      const fn = async () => {
        const [push, pull] = [new zmq.Push(), new zmq.Pull()];
        await push.bind('tcp://127.0.0.1:*');
        pull.connect(push.lastEndpoint);
        await push.send('hello');
        const [message] = await pull.receive();
        push.close(); pull.close();
        return message.toString();
      };`,
    );
    const addons = pathsOf(bundle).filter((path) => path.endsWith('.node'));
    expect(addons.length).toBeGreaterThan(0);
    expect(addons.every((path) => path.includes(`/${process.platform}/${process.arch}/`))).toBe(true);
    expect(await project.call(bundle)).toBe('hello');
  });
});

/** The beginning of a native binary for an architecture of Linux or macOS. */
function binary(platform: 'linux' | 'darwin', arch: 'x64' | 'arm64'): Buffer {
  const bytes = Buffer.alloc(64);
  if (platform === 'linux') {
    bytes.write('\x7fELF', 'latin1');
    bytes.writeUInt16LE(arch === 'x64' ? 62 : 183, 18);
  } else {
    bytes.writeUInt32BE(0xcffaedfe, 0);
    bytes.writeUInt32LE(arch === 'x64' ? 0x0100_0007 : 0x0100_000c, 4);
  }
  return bytes;
}

const lazily = (path: string): string => `exports.load = () => ${path}; exports.n = 1;`;
const useNative = `import { n } from 'native';\nconst fn = () => n;`;
const macTarget = { platform: 'darwin', arch: 'arm64' };

describe('native binaries for a target', () => {
  const prebuilds = (...platforms: ['linux' | 'darwin', 'x64' | 'arm64'][]) =>
    installed(
      'node_modules/native',
      {},
      {
        'index.js': lazily(`require(\`./prebuilds/\${process.platform}-\${process.arch}/native.node\`)`),
        ...Object.fromEntries(
          platforms.map(([platform, arch]) => [`prebuilds/${platform}-${arch}/native.node`, binary(platform, arch)]),
        ),
      },
    );
  const binariesOf = (bundle: Bundled): string[] => pathsOf(bundle).filter((path) => /\.(node|so|dylib)$/.test(path));

  test.each([
    [macTarget, 'node_modules/native/prebuilds/darwin-arm64/native.node'],
    [{ platform: 'linux', arch: 'arm64' }, 'node_modules/native/prebuilds/linux-arm64/native.node'],
    [{ platform: 'linux', arch: 'x64' }, 'node_modules/native/prebuilds/linux-x64/native.node'],
  ])('are those for it, of prebuilds for several: %j', async (target, expected) => {
    await using project = await PackageProject.of(prebuilds(['linux', 'x64'], ['linux', 'arm64'], ['darwin', 'arm64']));
    const bundle = project.bundle(useNative, { target });
    expect(binariesOf(bundle)).toEqual([expected]);
    expect(await project.call(bundle)).toBe(1);
  });

  test('must be installed', async () => {
    await using project = await PackageProject.of(prebuilds(['linux', 'x64'], ['linux', 'arm64']));
    const { error } = project.bundle(useNative, { target: macTarget });
    expect(error?.code).toBe('E_BUNDLE_FAILED');
    expect(error?.message).toContain('native has no native binary for darwin-arm64');
    expect(error?.message).toContain('npm install --os=darwin --cpu=arm64 native');
  });

  test('are told by what is in them, where no path says it', async () => {
    const files = installed(
      'node_modules/native',
      {},
      {
        'index.js': lazily(`require('./build/Release/native.node')`),
        'build/Release/native.node': binary('linux', 'x64'),
      },
    );
    await using project = await PackageProject.of(files);
    const forLinux = project.bundle(useNative, { target: { platform: 'linux', arch: 'x64' } });
    expect(binariesOf(forLinux)).toEqual(['node_modules/native/build/Release/native.node']);
    expect(project.bundle(useNative, { target: macTarget }).error?.message).toContain('darwin-arm64');
  });

  test('may be optional dependencies, with the libraries that those need', async () => {
    const variant = (platform: 'linux' | 'darwin', arch: 'x64' | 'arm64') => {
      const [name, library] = [`@native/${platform}-${arch}`, `@native/lib-${platform}-${arch}`];
      const where = { os: [platform], cpu: [arch] };
      return {
        ...installed(
          `node_modules/${name}`,
          { ...where, optionalDependencies: { [library]: '1.0.0' }, main: 'native.node' },
          {
            'native.node': binary(platform, arch),
          },
        ),
        ...installed(`node_modules/${library}`, where, { 'lib/lib.so': binary(platform, arch) }),
      };
    };
    const names = ['@native/linux-x64', '@native/linux-arm64', '@native/darwin-arm64', '@native/darwin-x64'];
    await using project = await PackageProject.of({
      ...variant('linux', 'x64'),
      ...variant('darwin', 'arm64'),
      ...installed(
        'node_modules/native',
        { optionalDependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])) },
        {
          'index.js': lazily('require("@native/" + process.platform + "-" + process.arch)'),
        },
      ),
    });
    const bundle = project.bundle(useNative, { target: macTarget });
    expect(binariesOf(bundle)).toEqual([
      'node_modules/@native/darwin-arm64/native.node',
      'node_modules/@native/lib-darwin-arm64/lib/lib.so',
    ]);
    const { error } = project.bundle(useNative, { target: { platform: 'darwin', arch: 'x64' } });
    expect(error?.message).toContain('@native/darwin-x64 was expected');
    project.remove('node_modules/@native/lib-darwin-arm64');
    expect(project.bundle(useNative, { target: macTarget }).error?.message).toContain('@native/lib-darwin-arm64 was expected');
    expect(await project.call(bundle)).toBe(1);
  });

  test('lie in folders by platform and architecture, as those of zeromq do', async () => {
    await using project = await PackageProject.of({
      'node_modules/zeromq': `-> ${join(packageDir, 'node_modules/zeromq')}`,
    });
    const lines = `import * as zmq from 'zeromq';\nconst fn = () => zmq.version;`;
    const addons = binariesOf(project.bundle(lines, { target: macTarget }));
    expect(addons.length).toBeGreaterThan(0);
    expect(addons.every((path) => path.includes('/darwin/arm64/'))).toBe(true);
    const { error } = project.bundle(lines, { target: { platform: 'sunos', arch: 'x64' } });
    expect(error?.message).toContain('zeromq has no native binary for sunos-x64');
  });
});

describe('a package that is bundled', () => {
  test('may mention __dirname and import.meta', async () => {
    await using project = await PackageProject.of({
      ...installed('node_modules/here', {}, { 'index.js': 'exports.here = typeof __dirname + typeof __filename;' }),
      ...installed(
        'node_modules/meta',
        { type: 'module', main: 'm.js' },
        {
          'm.js': `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);
          export const sep = () => require('node:path').posix.sep;`,
        },
      ),
    });
    const bundle = project.bundle(`import { here } from 'here';\nimport { sep } from 'meta';\nconst fn = () => [here, sep()]`);
    expect(pathsOf(bundle)).toEqual([]);
    expect(bundle.files.map(({ path }) => path)).toContain('modules.cjs');
    expect(await project.call(bundle)).toEqual(['stringstring', '/']);
  });

  test('is warned of, where it loads what only it knows', async () => {
    await using project = await PackageProject.of(
      installed(
        'node_modules/plugins',
        {},
        {
          'index.js': 'exports.load = (name) =>\n  require(name);\nexports.later = (name) => import(name);\nexports.n = 1;',
        },
      ),
    );
    const bundle = project.bundle(`import plugins from 'plugins';\nconst fn = () => plugins.n`);
    expect(bundle.warnings).toEqual([
      expect.stringMatching(/^plugins \(node_modules\/plugins\/index\.js:2\) .*Fix: /),
      expect.stringMatching(/^plugins \(node_modules\/plugins\/index\.js:3\) .*Fix: /),
    ]);
    expect(await project.call(bundle)).toBe(1);
  });
});

test('a deploy of a function with kept packages answers, and tells of warnings', async () => {
  await using project = await PackageProject.of({
    ...withData,
    ...installed('node_modules/plugins', {}, { 'index.js': 'exports.load = (name) => require(name); exports.n = 1;' }),
  });
  const printed = project.run(`
    import { words } from 'data';
    import plugins from 'plugins';
    const clip = await clipper.startClipper({ name: 'kept', queryPort: 0, managementPort: 0, rpcPort: 0 });
    const events = [];
    try {
      const onProgress = ({ stage, message }) => events.push(stage + ' ' + message);
      const predictOne = (xs) => words()[xs[0]] + plugins.n;
      await clipper.createEndpoint(clip, { name: 'words', inputType: 'doubles', predictOne, onProgress });
      const { output } = await clip.predict('words', [1]);
      console.log(JSON.stringify({ output, warnings: events.filter((event) => event.includes('warning')) }));
    } finally {
      await clip.close();
    }`);
  expect(printed).toEqual({ output: 'two1', warnings: [expect.stringMatching(/^bundle warning: plugins \(node_modules.*:1\)/)] });
});
