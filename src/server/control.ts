import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Deployment, Traffic } from '../control/state-store.ts';
import { Artifacts } from '../deployments/artifacts.ts';
import { Deployments } from '../deployments/deployments.ts';
import { resumeAll } from '../deployments/resume.ts';
import type { ClusterServices } from '../http/management/cluster-routes.ts';
import type { ManagementServices } from '../http/management/management-routes.ts';
import { Autoscaler, type Load } from '../replicas/autoscaler.ts';
import { Rollouts, type Verdict } from '../serving/rollout.ts';
import type { Parts } from './parts.ts';
import type { Replicas } from './replicas.ts';

const collectEveryMs = 600_000;

/** What management does beyond the registry. */
export async function clusterServices(
  parts: Parts,
  { rpc, backend, supervisor, queryPort, stop }: Replicas & { readonly queryPort: number; readonly stop: () => void },
): Promise<ClusterServices & Pick<ManagementServices, 'forget'> & { readonly resume: () => Promise<void> }> {
  const { options, log, registry, events, frontend, feedback } = parts;
  const storeDir = join(options.stateDir, 'bundles');
  await mkdir(storeDir, { recursive: true, mode: 0o700 });
  const engine = backend.engineId === undefined ? {} : { engineId: backend.engineId };
  const where = { pid: process.pid, hostname: hostname(), storeDir, queryPort, rpcPort: rpc.port };
  const forget = async (application: string): Promise<void> => {
    frontend.forget(application);
    await feedback.forget(application);
  };
  registry.onDeletedElsewhere = (application) =>
    void forget(application).catch((error) => log.warn({ err: error }, 'feedback could not be removed'));
  const key = rpc.serverKey === undefined ? {} : { rpcServerKey: rpc.serverKey };
  const info = { ...engine, ...key, name: options.name, backend: backend.name, ...where };
  const deployments = new Deployments({ registry, supervisor, artifacts: new Artifacts(storeDir), events, log });
  const resume = startControllers(parts, { supervisor, deployments });
  return { info, deployments, supervisor, stop, forget, resume };
}

/** Has rules judged and replicas follow their load from now on; what it returns has an earlier server's replicas run again. */
function startControllers(
  { undo, registry, events, log, frontend }: Parts,
  { supervisor, deployments }: Pick<ClusterServices, 'supervisor' | 'deployments'>,
): () => Promise<void> {
  const ending = new AbortController();
  undo.push(async () => ending.abort());
  const rollouts = new Rollouts({
    splitter: frontend.splitter,
    traffics: () => registry.traffics,
    currentVersion: (model) => registry.currentVersion(model),
    whyGivenUp: (model, version) => supervisor.whyGivenUp(model, version),
    carryOut: (traffic, candidate, verdict) => carryOut({ registry, deployments, events }, { traffic, candidate, verdict }),
  });
  undo.push(async () => rollouts[Symbol.dispose]());
  const loadOf = (deployment: Deployment): Load => frontend.loadOf(deployment);
  const autoscaler = new Autoscaler({ registry, supervisor, events, log, loadOf });
  undo.push(async () => autoscaler[Symbol.dispose]());
  const partsOf = (model: string): [name: string, version: string] => model.split(':') as [string, string];
  frontend.wake = (model) => autoscaler.wake(...partsOf(model));
  frontend.isAsleep = (model) => autoscaler.isAsleep(...partsOf(model));
  return async () => {
    await resumeAll({ registry, deployments, log }, ending.signal);
    if (ending.signal.aborted) return;
    await supervisor.endLeft();
    await deployments.collect();
    if (ending.signal.aborted) return;
    const timer = setInterval(() => void deployments.collect(), collectEveryMs).unref();
    ending.signal.addEventListener('abort', () => clearInterval(timer));
  };
}

/** Switches to a candidate that did well, or takes its traffic from one that did not. */
async function carryOut(
  { registry, deployments, events }: Pick<Parts, 'registry' | 'events'> & { readonly deployments: Deployments },
  { traffic, candidate: version, verdict }: { traffic: Traffic; candidate: string; verdict: Verdict },
): Promise<void> {
  const { kind, reason } = verdict;
  const { model } = traffic;
  // It may have been split otherwise meanwhile.
  if (registry.traffic(model) !== traffic) return;
  if (kind === 'promote') {
    await deployments.activate(model, version, new AbortController().signal);
    events.add({ kind: 'promoted', model, version, message: `${model}:${version} was promoted: ${reason}` });
    return;
  }
  await registry.setTraffic(model, undefined);
  events.add({ kind: 'rolled_back', model, version, message: `${model}:${version} was given up: ${reason}` });
}
