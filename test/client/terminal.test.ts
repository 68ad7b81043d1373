import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { packageDir } from '../../src/util/package-files.ts';

const program = (sample: string) => `
  const { startClipper, createEndpoint } = require(${JSON.stringify(packageDir)});
  startClipper({ name: 'test-' + process.pid, queryPort: 0, managementPort: 0, rpcPort: 0 }).then(async (clipper) => {
    const predictOne = ([x]) => { if (x === 13) throw new Error('unlucky'); return x; };
    await createEndpoint(clipper, { name: 'm', inputType: 'doubles', predictOne, sample: ${sample} }).catch(({ code }) => console.log(code));
    await clipper.close();
  });`;

/** Runs a program in a terminal of its own, and gives what it shows there once it has ended by itself. */
async function shownBy(code: string): Promise<string> {
  // There, terminals are taken for none.
  const { CI: _, ...env } = process.env;
  const child = spawn('script', ['-qec', `${process.execPath} -e "$PROGRAM"`, '/dev/null'], {
    env: { ...env, PROGRAM: code, TERM: 'xterm' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const force = setTimeout(() => child.kill('SIGKILL'), 30_000);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [status] = (await once(child, 'exit')) as [number | null];
  clearTimeout(force);
  expect(status).toBe(0);
  return Buffer.concat(chunks).toString();
}

const marks = (shown: string): string[] => shown.match(/[✔✖]/g) ?? [];
const hasTerminals = spawnSync('script', ['--version']).status === 0;

(hasTerminals ? describe : describe.skip)('in a terminal', () => {
  test('a deploy turns a spinner until it serves', async () => {
    const shown = await shownBy(program('[1]'));
    expect(shown).toMatch(/m: version 1 is serving \(\d+ ms\)/);
    expect(marks(shown)).toEqual(['✔']);
    expect(shown).not.toContain('failed');
  });

  test('a deploy that fails ends its spinner, shows the cursor again and lets the program end', async () => {
    const shown = await shownBy(program('[13]'));
    expect(shown).toContain('E_SAMPLE_FAILED');
    expect(marks(shown)).toEqual(['✖']);
    expect(shown.lastIndexOf('\u001b[?25h')).toBeGreaterThan(shown.lastIndexOf('\u001b[?25l'));
  });
});
