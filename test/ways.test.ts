import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { nodeReport } from '../src/util/node-report.ts';
import { packageDir } from '../src/util/package-files.ts';
import { InstalledPackage } from './helpers/installed-package.ts';
import { typedInto } from './helpers/typed-into.ts';
import { nodeVersions, type Way, ways } from './helpers/ways.ts';

const major = Number(process.versions.node.split('.')[0]);
const story = readFileSync(join(packageDir, 'test/fixtures/programs/story.ts'), 'utf8');
const thrownAtLine = story.split('\n').findIndex((line) => line.includes('throw new RangeError')) + 1;
const tested = "test('tells', async () => console.log(await story()), 60_000);";

const compiler = { target: 'es2022', module: 'nodenext', outDir: 'compiled', sourceMap: true, noCheck: true, types: [] };

const files = {
  'main.ts': `${story}\nvoid story().then(console.log);`,
  'node.test.ts': `${story}\nimport { test } from 'node:test';\ntest('tells', async () => console.log(await story()));`,
  'vitest.test.ts': `${story}\nimport { test } from 'vitest';\n${tested}`,
  'story.jest.ts': `${story}\n${tested}`,
  'worker.mjs': `import { Worker } from 'node:worker_threads';\nnew Worker(new URL('./compiled/main.js', import.meta.url));`,
  'tsconfig.json': JSON.stringify({ compilerOptions: compiler, files: ['main.ts'], 'ts-node': { transpileOnly: true } }),
  'jest.config.json': JSON.stringify({
    testMatch: ['**/*.jest.ts'],
    transform: { '\\.ts$': join(packageDir, 'test/esbuild-transform.cjs') },
  }),
};

/** Their packages with a program for this system; none if they have another. */
const otherRuntimes =
  process.platform === 'linux' && process.arch === 'x64' && nodeReport().glibcVersion !== undefined
    ? ['@oven/bun-linux-x64-baseline@1.4.5', '@deno/linux-x64-glibc@2.9.6']
    : [];

let project: InstalledPackage;

beforeAll(async () => {
  const others = ['typescript@5.9.3', 'ts-node@10.9.2', 'vitest@4.1.12', ...otherRuntimes];
  project = await InstalledPackage.of({ others, linked: ['jest', 'tsx'] });
  project.write(files);
  project.node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']);
}, 300_000);

afterAll(() => project[Symbol.asyncDispose]());

/** Runs the steps of a way, and gives what the last one prints. */
async function run({ steps, typed }: Way): Promise<string> {
  let printed = '';
  for (const [index, [program = '', ...args]] of steps.entries()) {
    const isLast = index === steps.length - 1;
    if (isLast && typed !== undefined) return typedInto(args, project.path, typed);
    const file = program === 'node' ? process.execPath : join(project.path, program);
    printed = execFileSync(file, args, { cwd: project.path, encoding: 'utf8', stdio: 'pipe' });
  }
  return printed;
}

describe('a function is deployed, answers, and says where it threw, from', () => {
  test.each(ways.filter(({ since = 0 }) => major >= since))('$name', async (way) => {
    const printed = await run(way);
    expect(printed).toContain('The answer is 6 at call 1. RangeError: too long');
    // Under the name of the file that was written, on its own line.
    expect(printed).toMatch(new RegExp(`at \\S*predict \\(\\S*/\\w+\\.(?:test\\.|jest\\.)?ts:${thrownAtLine}:`));
    expect(printed).not.toMatch(/break in/);
  });
});

/** The bundle of a function, or the code and message of the error. */
const bundling = (clipper: string, fn: string): string => `${clipper}
bundleClosure(${fn}, { outDir: 'made' }).then(() => 'made', ({ code, message }) => code + ': ' + message).then(console.log);`;
const required = "const { bundleClosure, createEndpoint, startClipper } = require('clipper-ts');";
const imported = "import { bundleClosure } from 'clipper-ts';";

describe('what can not run says so, with what to do', () => {
  test('a process that may not use the inspector', () => {
    const flag = major >= 24 ? '--permission' : '--experimental-permission';
    const allowed = ['fs-read=*', 'fs-write=*', 'child-process', 'worker', 'addons'].map((name) => `--allow-${name}`);
    project.write({ 'denied.cjs': bundling(required, '() => 1') });
    expect(project.node([flag, ...allowed, 'denied.cjs'])).toMatch(
      /^E_UNSUPPORTED_RUNTIME: .*permission model forbids it\.\s+Fix: start Node with --allow-inspector \(Node 24 and later\)/,
    );
  });

  const others = [
    ['Bun', join('@oven', 'bun-linux-x64-baseline', 'bin', 'bun'), []],
    ['Deno', join('@deno', 'linux-x64-glibc', 'deno'), ['run', '-A']],
  ] as const;
  (otherRuntimes.length === 0 ? test.skip : test).each(others)('%s', (name, program, args) => {
    project.write({ 'other.cjs': bundling(required, '() => 1') });
    const file = join(project.path, 'node_modules', program);
    expect(execFileSync(file, [...args, 'other.cjs'], { cwd: project.path, encoding: 'utf8' })).toMatch(
      new RegExp(`^E_UNSUPPORTED_RUNTIME: This process is ${name} .*Fix: run the program with \`node file.js\``, 's'),
    );
  });

  test('an add-on that has no binary for this system', () => {
    const build = join(project.path, 'node_modules/zeromq/build');
    renameSync(build, `${build}-of-another-system`);
    try {
      const start = `startClipper({ name: 'none-' + process.pid, queryPort: 0, managementPort: 0, rpcPort: 0 })`;
      project.write({ 'start.cjs': `${required}\n${start}.catch(({ code, message }) => console.log(code, message));` });
      expect(project.node(['start.cjs'])).toMatch(
        /^E_UNSUPPORTED_RUNTIME A package with an add-on can't be loaded .*Fix: run `npm ci`/s,
      );
    } finally {
      renameSync(`${build}-of-another-system`, build);
    }
  });

  test('packages that were bundled into the program', () => {
    const schema = "import { z } from 'zod';\nconst schema = z.object({ x: z.number() });";
    project.write({ 'inside.ts': `${schema}\n${bundling(imported, '(x) => schema.parse(x)')}` });
    const bundled = (...external: string[]): string => {
      const flags = ['--bundle', '--platform=node', '--format=esm', '--outfile=bundled/inside.mjs', '--log-level=error'];
      execFileSync(join(project.path, 'node_modules/.bin/esbuild'), ['inside.ts', ...flags, ...external], { cwd: project.path });
      return project.node(['bundled/inside.mjs']);
    };
    expect(bundled('--external:clipper-ts')).toMatch(
      /^E_NOT_CAPTURABLE.*Fix: keep packages external when you bundle .*inside\.mjs \(esbuild: --packages=external/s,
    );
    expect(bundled('--packages=external')).toBe('made\n');
  });

  test('clipper-ts that was bundled into the program', () => {
    project.write({ 'whole.ts': `const __dirname = import.meta.dirname ?? process.cwd();\n${bundling(imported, '() => 1')}` });
    const packages = ['esbuild', 'zeromq', 'dockerode', '@vercel/nft', 'lmdb', 'pino', 'fastify'].map(
      (name) => `--external:${name}`,
    );
    const flags = ['--bundle', '--platform=node', '--format=cjs', '--outfile=bundled/whole.cjs', '--log-level=error'];
    execFileSync(join(project.path, 'node_modules/.bin/esbuild'), ['whole.ts', ...flags, ...packages], { cwd: project.path });
    expect(project.node(['bundled/whole.cjs'])).toMatch(
      /^E_UNSUPPORTED_RUNTIME: clipper-ts was bundled .*--external:clipper-ts/s,
    );
  });

  test.each([
    [
      'a method that deploys',
      'new (class { predict = (x) => this; deploy() { return createEndpoint(this.predict); } })().predict',
    ],
    ['a function of clipper-ts', '() => startClipper()'],
    ['clipper-ts as it is loaded inside', "() => require('clipper-ts')"],
  ])('%s in what is deployed', (_what, fn) => {
    project.write({ 'ours.cjs': bundling(required, fn) });
    expect(project.node(['ours.cjs'])).toMatch(
      /^E_NOT_CAPTURABLE: .*: a part of clipper-ts, .*\n.*Fix: call it where you deploy/s,
    );
  });
});

test('the documentation has every way, with the versions of Node that have it', () => {
  const text = readFileSync(join(packageDir, 'docs', '13-where-it-runs.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (.*?) \|((?: (?:✓|–) \|)+)$/gm)].map(([, name, cells = '']) => [
    name,
    [...cells.matchAll(/[✓–]/g)].map(([cell]) => cell === '✓'),
  ]);
  expect(rows).toEqual(ways.map(({ name, since = 0 }) => [name, nodeVersions.map((version) => version >= since)]));
});
