import { Readable } from 'node:stream';
import { clusterErrors } from '../../contract/errors.ts';
import { getLogs, maxTailLines } from '../../contract/logs.ts';
import type { Registry } from '../../control/registry.ts';
import { followLogs, readLogs } from '../../replicas/replica-logs.ts';
import type { Supervisor } from '../../replicas/supervisor.ts';
import { resolveOptions } from '../../util/options.ts';
import { z } from '../../util/zod.ts';
import { abandonedSignal } from '../abandoned.ts';
import type { Api } from '../api.ts';
import { serveCall } from './serve-call.ts';

const query = {
  name: getLogs.body.shape.name,
  version: getLogs.body.shape.version,
  tailLines: z.coerce.number().int().positive().max(maxTailLines).default(1_000).describe('How many of the last lines.'),
  follow: z
    .stringbool()
    .default(false)
    .describe(
      'Goes on with each line as it is written, also by replicas that are started later; `tailLines` is then for each replica.',
    ),
};
const Query = z.strictObject(query);

interface LogServices {
  readonly supervisor: Supervisor;
  readonly registry: Registry;
}

/** What replicas write. */
export function addLogRoutes(api: Api, { supervisor, registry }: LogServices): void {
  serveCall(api, getLogs, async (body) => {
    checkKnown({ supervisor, registry }, body);
    return [...(await readLogs(supervisor.logged, body))];
  });
  api.serve(
    {
      method: 'GET',
      path: '/admin/v1/logs',
      name: 'followLogs',
      tag: 'Cluster',
      summary: 'The same as text; with `follow` also what replicas write from now on.',
      query,
      answers: { 200: { 'text/plain': z.string() }, ...clusterErrors },
    },
    async (request, reply) => {
      const { follow, ...selected } = resolveOptions(Query, request.query, 'logs');
      checkKnown({ supervisor, registry }, selected);
      reply.type('text/plain; charset=utf-8');
      if (!follow) return reply.send((await readLogs(supervisor.logged, selected)).map(ended).join(''));
      const lines = followLogs(supervisor.logged, { ...selected, signal: abandonedSignal(reply) });
      return reply.send(Readable.from(endedLines(lines)));
    },
  );
}

/** Throws E_UNKNOWN_MODEL: a misspelt name would otherwise just give no lines. */
function checkKnown(
  { supervisor, registry }: LogServices,
  { name, version }: { readonly name?: string | undefined; readonly version?: string | undefined },
): void {
  // A version that is being deployed is not registered yet.
  if (name !== undefined && !supervisor.runs(name, version)) registry.requireModel(name, version);
}

const ended = (line: string): string => `${line}\n`;

async function* endedLines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield ended(line);
}
