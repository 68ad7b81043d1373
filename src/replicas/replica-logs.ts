import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { Funnel } from '../util/funnel.ts';
import type { ReplicaExit, ReplicaLogs } from './backend.ts';
import type { ReplicaFleet } from './fleet-backend.ts';

export interface LogSelection {
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly tailLines: number;
}

/** The backend whose logs are read, and its current fleets. */
export interface LoggedReplicas {
  readonly backend: ReplicaLogs;
  readonly fleets: () => Iterable<ReplicaFleet>;
}

/** How often to check for new replicas. */
const lookEveryMs = 100;

/** The last lines of the replicas of a model version, of a model, or of all. Each line starts with its instance. */
export async function readLogs(replicas: LoggedReplicas, selection: LogSelection): Promise<readonly string[]> {
  const texts = await Promise.all(
    selected(replicas, selection).flatMap((fleet) => fleet.instances.map((each) => linesOf(replicas, fleet, each, selection))),
  );
  return texts.flat().slice(-selection.tailLines);
}

/**
 * The last lines of replicas that have ended, then those of each running one, then all new lines, also of replicas that are
 * started later, until the signal aborts.
 */
export async function* followLogs(
  replicas: LoggedReplicas,
  { signal, ...selection }: LogSelection & { readonly signal: AbortSignal },
): AsyncGenerator<string> {
  const left = new AbortController();
  const ended = AbortSignal.any([signal, left.signal]);
  const funnel = new Funnel<string>();
  const seen = new Set<string>();
  try {
    const past = selected(replicas, selection).flatMap((fleet) =>
      fleet.instances.filter((each) => fleet.exitOf(each) !== undefined).map((instance) => ({ fleet, instance })),
    );
    for (const { instance } of past) seen.add(instance);
    const texts = await Promise.all(past.map(({ fleet, instance }) => linesOf(replicas, fleet, instance, selection)));
    yield* texts.flat().slice(-selection.tailLines);
    void followNew(replicas, { ...selection, seen, funnel, signal: ended });
    yield* funnel.values(ended);
  } finally {
    left.abort();
  }
}

interface Following extends LogSelection {
  readonly funnel: Funnel<string>;
  readonly signal: AbortSignal;
}

/** Starts to follow each new replica. */
async function followNew(
  replicas: LoggedReplicas,
  { seen, ...following }: Following & { readonly seen: Set<string> },
): Promise<void> {
  const { signal } = following;
  while (!signal.aborted) {
    for (const fleet of selected(replicas, following)) {
      for (const running of fleet.running) {
        if (!seen.has(running.instance)) void followOne(replicas.backend, running, following);
        seen.add(running.instance);
      }
    }
    await setTimeout(lookEveryMs, undefined, { signal }).catch(() => {});
  }
}

async function followOne(
  backend: ReplicaLogs,
  running: ReplicaFleet['running'][number],
  { tailLines, funnel, signal }: Following,
): Promise<void> {
  const { instance, exited } = running;
  const put = async (line: string): Promise<void> => {
    if (!signal.aborted) await funnel.put(`${instance} | ${line}`);
  };
  try {
    for await (const line of backend.followLogs(instance, { tailLines, signal })) await put(line);
  } catch (error) {
    await put(`(its log can't be followed: ${messageOf(error)})`);
  }
  if (!signal.aborted) await put(endOf(await exited));
}

async function linesOf(
  { backend }: LoggedReplicas,
  fleet: ReplicaFleet,
  instance: string,
  { tailLines }: LogSelection,
): Promise<readonly string[]> {
  const lines = await backend.logs(instance, { tailLines });
  const exit = fleet.exitOf(instance);
  return [...lines, ...(exit === undefined ? [] : [endOf(exit)])].map((line) => `${instance} | ${line}`);
}

const endOf = ({ how }: ReplicaExit): string => `(ended with ${how})`;

const selected = ({ fleets }: LoggedReplicas, { name, version }: LogSelection): readonly ReplicaFleet[] =>
  [...fleets()].filter(
    ({ spec }) => (name ?? spec.modelName) === spec.modelName && (version ?? spec.modelVersion) === spec.modelVersion,
  );
