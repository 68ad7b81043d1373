import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageDir } from '../src/util/package-files.ts';
import { InstalledPackage } from './helpers/installed-package.ts';
import { typedInto } from './helpers/typed-into.ts';

let project: InstalledPackage;

const tool = (path: string): string => join(packageDir, 'node_modules', path);
const node = (args: readonly string[]): string => project.node(args);
const file = (name: string, text: string): void => project.write({ [name]: text });

/** The same story in each module format; prints the output and the reason of a failure. */
const story = `
  const weights = [1, 2, 3];
  const dot = (xs) => xs.reduce((sum, x, index) => sum + x * weights[index], 0);
  async function main() {
    const clipper = await startClipper({ name: 'test-' + process.pid, queryPort: 0, managementPort: 0, rpcPort: 0 });
    await createEndpoint(clipper, { name: 'dot', inputType: 'doubles', predictOne: dot, onProgress() {} });
    const { output } = await clipper.predict('dot', [1, 1, 1]);
    await clipper.close();
    return 'the answer is ' + output;
  }
`;

beforeAll(async () => {
  project = await InstalledPackage.of();
}, 300_000);

afterAll(() => project[Symbol.asyncDispose]());

describe('the installed package', () => {
  test('works from an ES module', () => {
    file('esm.mjs', `import { createEndpoint, startClipper } from 'clipper-ts';\n${story}\nconsole.log(await main());`);
    expect(node(['esm.mjs'])).toBe('the answer is 6\n');
  });

  test('works from CommonJS', () => {
    file('cjs.cjs', `const { createEndpoint, startClipper } = require('clipper-ts');\n${story}\nmain().then(console.log);`);
    expect(node(['cjs.cjs'])).toBe('the answer is 6\n');
  });

  test('runs the README’s first example, which answers as it says', async () => {
    const [, example = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(packageDir, 'README.md'), 'utf8')) ?? [];
    const ports = "startClipper({ name: 'readme', queryPort: 0, managementPort: 0, rpcPort: 0 })";
    file('readme.mts', example.replace('startClipper()', ports));
    const [, body, promised = ''] = /curl -d '(.*?)' .*→ {2}(.*)/.exec(example) ?? [];
    const child = spawn(process.execPath, ['--import', tool('tsx/dist/esm/index.mjs'), 'readme.mts'], {
      cwd: project.path,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const [printed] = (await once(child.stdout, 'data')) as [Buffer];
      const url = /serving at (\S+)/.exec(printed.toString())?.[1] ?? '';
      const response = await fetch(url, { method: 'POST', body: body ?? '' });
      expect(await response.json()).toEqual(JSON.parse(promised));
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });

  test('works typed into the REPL, with variables of several lines', async () => {
    const lines = [
      "const { createEndpoint, startClipper, deployPredictFunction } = require('clipper-ts')",
      "const clipper = await startClipper({ name: 'typed-in', queryPort: 0, managementPort: 0, rpcPort: 0 })",
      'let offset = 1; var scale = 10',
      'function helper(x) { return x * scale + offset }',
      'const onProgress = () => {}',
      "const made = await createEndpoint(clipper, { name: 'repl', inputType: 'doubles', predictOne: (xs) => path.join('a', String(helper(xs[0]))), onProgress })",
      "console.log('first', (await clipper.predict('repl', [4])).output)",
      'offset = 2',
      'function helper(x) { return x * scale - offset }',
      "await deployPredictFunction(clipper, { name: 'repl', inputType: 'doubles', predictOne: (xs) => helper(xs[0]), onProgress })",
      "console.log('second', (await clipper.predict('repl', [4])).output)",
      "const thrower = (xs) => { throw new Error('typed in') }",
      "await createEndpoint(clipper, { name: 'throws', inputType: 'doubles', predictOne: thrower, onProgress })",
      "(await clipper.predict('throws', [4], { explain: true })).explain.error.stack",
      'await clipper.close()',
      '.exit',
    ];
    const typed = lines.map((line) => ['> ', line] as const);
    const printed = await typedInto(['--interactive'], project.path, typed);
    expect(printed).toContain('first a/41');
    expect(printed).toContain('second 38');
    // The line of the REPL that it was typed in.
    expect(printed).toMatch(/at thrower \(repl:REPL\d+:1:\d+\)/);
  });

  test('has types for ES modules and CommonJS, and infers the inputs', () => {
    const source = `
      import { createEndpoint, type Deployment, isClipperError, startClipper } from 'clipper-ts';
      import { ModelContainer, RPCService } from 'clipper-ts/runtime';
      export async function main(): Promise<Deployment> {
        await using clipper = await startClipper({ queryPort: 0 });
        return createEndpoint(clipper, {
          name: 'typed', inputType: 'strings', setup: async () => ({ prefix: 'x' }),
          predict: (texts, context) => texts.map((text) => context.prefix.concat(text.toUpperCase())),
        });
      }
      export class Doubler extends ModelContainer {
        override predictDoubles(inputs: readonly Float64Array[]) { return inputs.map((xs) => Array.from(xs, (x) => x * 2)); }
      }
      export const serve = (): Promise<void> => new RPCService().start(new Doubler());
      export const isOurs: boolean = isClipperError(0);
    `;
    file('types/esm.mts', source);
    file('types/cjs.cts', source);
    file('types/wrong.mts', source.replace('text.toUpperCase()', 'text.toFixed()'));
    const options = { module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, noEmit: true };
    const types = { types: ['node'], typeRoots: [tool('@types')] };
    const check = (files: string[]): string => {
      file('types/tsconfig.json', JSON.stringify({ compilerOptions: { ...options, ...types }, files }));
      return spawnSync(process.execPath, [tool('typescript/bin/tsc'), '-p', 'types'], { cwd: project.path, encoding: 'utf8' })
        .stdout;
    };
    expect(check(['esm.mts', 'cjs.cts'])).toBe('');
    expect(check(['wrong.mts'])).toContain("Property 'toFixed' does not exist on type 'string'");
  });

  test('closes deep imports', () => {
    file('deep.mjs', "await import('clipper-ts/dist/server.js').catch((error) => console.log(error.code));");
    expect(node(['deep.mjs'])).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });
});
