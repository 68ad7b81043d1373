import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

let project: InstalledPackage;

beforeAll(async () => {
  const others = ['typescript@5.9.3', 'ts-node@10.9.2', 'vitest@4.1.12'];
  project = await InstalledPackage.of({ others, linked: ['jest', 'tsx'] });
  project.write(files);
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

test('where the inspector may not be used, it is refused with what to do', () => {
  const flag = major >= 24 ? '--permission' : '--experimental-permission';
  const allowed = ['fs-read=*', 'fs-write=*', 'child-process', 'worker', 'addons'].map((name) => `--allow-${name}`);
  project.write({
    'denied.cjs': `require('clipper-ts').bundleClosure(() => 1, { outDir: 'denied' }).catch(({ code, message }) => console.log(code, message));`,
  });
  expect(project.node([flag, ...allowed, 'denied.cjs'])).toMatch(
    /^E_UNSUPPORTED_RUNTIME .*permission model forbids it\. Fix: start Node with --allow-inspector \(Node 24 and later\)/,
  );
});

test('the documentation has every way, with the versions of Node that have it', () => {
  const text = readFileSync(join(packageDir, 'docs', '13-where-it-runs.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (.*?) \|((?: (?:✓|–) \|)+)$/gm)].map(([, name, cells = '']) => [
    name,
    [...cells.matchAll(/[✓–]/g)].map(([cell]) => cell === '✓'),
  ]);
  expect(rows).toEqual(ways.map(({ name, since = 0 }) => [name, nodeVersions.map((version) => version >= since)]));
});
