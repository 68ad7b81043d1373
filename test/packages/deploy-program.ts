// Deploys a program's function on a server of its own, asks it over HTTP, and prints whether the answers are those of this process.
import { isDeepStrictEqual } from 'node:util';
import { createEndpoint, startClipper } from 'clipper-ts';

interface Parts {
  readonly setup?: () => unknown;
  readonly predictOne: (input: string, context?: unknown) => unknown;
}
interface Program extends Parts {
  readonly inputs: readonly string[];
  /** What the refusal says to write in place of it. */
  readonly fixed?: Parts;
}
type Clipper = Awaited<ReturnType<typeof startClipper>>;

const [, , name = ''] = process.argv;
const program = (await import(new URL(`./programs/${name}.ts`, import.meta.url).href)) as Program;

const plain = (value: unknown): unknown => (typeof value === 'string' ? value : JSON.parse(JSON.stringify(value) ?? 'null'));

async function compare(clipper: Clipper, model: string, { setup, predictOne }: Parts) {
  const warnings: string[] = [];
  const onProgress = ({ message }: { message: string }): void => {
    if (message.startsWith('warning:')) warnings.push(message);
  };
  const options = { name: model, inputType: 'strings', predictOne, sloMicros: 20_000_000, onProgress } as const;
  const began = performance.now();
  const endpoint = await createEndpoint(clipper, setup === undefined ? options : { ...options, setup });
  const ms = Math.round(performance.now() - began);
  const served: unknown[] = [];
  for (const input of program.inputs) {
    const { output, default: isDefault, explanation } = (await endpoint.predict(input)) as Record<string, unknown>;
    served.push(isDefault === true ? { threw: explanation } : output);
  }
  const context = setup === undefined ? undefined : await setup();
  const here: unknown[] = [];
  for (const input of program.inputs) here.push(plain(await predictOne(input, context)));
  return { verdict: isDeepStrictEqual(here, served) ? 'right' : 'wrong', here, served, warnings, ms };
}

const clipper = await startClipper({ name: `program-${process.pid}`, queryPort: 0, managementPort: 0, rpcPort: 0 });
try {
  const held = await compare(clipper, 'as-held', program).catch(async (error: { code?: string; message: string }) => {
    return { verdict: error.code === 'E_NOT_CAPTURABLE' ? 'refused' : 'failed', message: error.message, warnings: [] };
  });
  const isWarned = held.verdict === 'wrong' && held.warnings.length > 0;
  const mayBeFixed = (held.verdict === 'refused' || isWarned) && program.fixed !== undefined;
  const fixed = mayBeFixed ? await compare(clipper, 'fixed', program.fixed as Parts) : undefined;
  console.log(JSON.stringify({ ...held, verdict: isWarned ? 'warned' : held.verdict, fixed }));
} finally {
  await clipper.stopAll();
}
process.exit(0);
