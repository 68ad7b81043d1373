import { type Bundled, installed, PackageProject } from '../helpers/package-project.ts';

const isMusl = !('glibcVersionRuntime' in (process.report.getReport() as { header: object }).header);
const own = isMusl ? 'musl' : 'glibc';
const other = isMusl ? 'glibc' : 'musl';

/** The beginning of a native binary for Linux on x64. */
const binary = Buffer.alloc(64);
binary.write('\x7fELF', 'latin1');
binary.writeUInt16LE(62, 18);

const linux = (libc?: string) => ({ target: { platform: 'linux', arch: 'x64', ...(libc === undefined ? {} : { libc }) } });
const binariesOf = ({ files, error }: Bundled): string[] => {
  if (error !== undefined) throw new Error(error.message);
  return files.map(({ path }) => path).filter((path) => path.endsWith('.node'));
};
const useNative = `import { n } from 'native';\nconst fn = () => n;`;

/** A package that loads one of these binaries by a computed name. */
const prebuilds = (...paths: string[]) =>
  installed(
    'node_modules/native',
    {},
    {
      'index.js': "exports.load = (name) => require('./prebuilds/linux-x64/' + name); exports.n = 1;",
      ...Object.fromEntries(paths.map((path) => [`prebuilds/${path}`, binary])),
    },
  );

describe('binaries for a libc', () => {
  test.each([
    ['glibc', 'node.glibc.node'],
    ['musl', 'node.musl.node'],
  ])('are told by their paths: %s', async (libc, expected) => {
    const names = ['linux-x64/node.glibc.node', 'linux-x64/node.musl.node', 'linux-x64/any.node'];
    await using project = await PackageProject.of(prebuilds(...names));
    expect(binariesOf(project.bundle(useNative, linux(libc)))).toEqual([
      'node_modules/native/prebuilds/linux-x64/any.node',
      `node_modules/native/prebuilds/linux-x64/${expected}`,
    ]);
  });

  const variant = (name: string, libc: string | string[]) =>
    installed(`node_modules/@native/${name}`, { os: ['linux'], cpu: ['x64'], libc, main: 'n.node' }, { 'n.node': binary });
  const native = (...names: string[]) =>
    installed(
      'node_modules/native',
      { optionalDependencies: Object.fromEntries(names.map((name) => [`@native/${name}`, '1.0.0'])) },
      { 'index.js': 'exports.load = (name) => require("@native/" + name); exports.n = 1;' },
    );

  test.each(['glibc', 'musl'])('are told by `libc` of their package.json, whatever their names say: %s', async (libc) => {
    await using project = await PackageProject.of({
      ...variant('one', 'glibc'),
      ...variant('two', ['musl']),
      ...native('one', 'two'),
    });
    const expected = libc === 'glibc' ? 'one' : 'two';
    expect(binariesOf(project.bundle(useNative, linux(libc)))).toEqual([`node_modules/@native/${expected}/n.node`]);
  });

  test.each([
    ['linux-x64', 'linuxmusl-x64'],
    ['linux-x64-gnu', 'linux-x64-musl'],
  ])('must be installed: %s and %s', async (forGlibc, forMusl) => {
    await using project = await PackageProject.of({ ...variant(forGlibc, ['glibc']), ...native(forGlibc, forMusl) });
    expect(binariesOf(project.bundle(useNative, linux('glibc')))).toEqual([`node_modules/@native/${forGlibc}/n.node`]);
    const { error } = project.bundle(useNative, linux('musl'));
    expect(error?.code).toBe('E_BUNDLE_FAILED');
    expect(error?.message).toContain(`no native binary for linux-x64-musl installed: @native/${forMusl} was expected`);
    expect(error?.message).toContain('npm install --os=linux --cpu=x64 --libc=musl native');
  });

  (process.platform === 'linux' ? test : test.skip)('are those for that of this process where none is given', async () => {
    await using project = await PackageProject.of(prebuilds('linux-x64/a.glibc.node', 'linux-x64/a.musl.node'));
    const paths = binariesOf(project.bundle(useNative, linux()));
    expect(paths).toEqual([`node_modules/native/prebuilds/linux-x64/a.${own}.node`]);
    expect(binariesOf(project.bundle(useNative, linux(other)))).not.toEqual(paths);
  });

  test('have one of the names that are known', async () => {
    await using project = await PackageProject.of(prebuilds());
    const { error } = project.bundle(useNative, linux('uclibc'));
    expect(error).toMatchObject({
      code: 'E_INVALID_OPTION',
      message: expect.stringMatching(/target\.libc: .*glibc.*musl.*got "uclibc"/),
    });
  });
});
