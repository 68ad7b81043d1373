import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Traffic } from '../control/state-store.ts';
import { Artifacts } from '../deployments/artifacts.ts';
import { Deployments } from '../deployments/deployments.ts';
import { resumeAll } from '../deployments/resume.ts';
import { Autoscaler } from '../replicas/autoscaler.ts';
import { Rollouts, type Verdict } from '../serving/rollout.ts';
import type { Parts, ServeOptions } from './parts.ts';
import type { Replicas } from './replicas.ts';

const collectEveryMs = 600_000;

/** Deploys, rollouts and autoscaling. */
export interface Control {
  readonly deployments: Deployments;
  readonly autoscaler: Autoscaler;
  /** Restarts what an earlier server ran. */
  readonly resume: () => Promise<void>;
}

/** Starts judging rollout rules and scaling with the load. */
export async function startControl(parts: Parts, { supervisor }: Pick<Replicas, 'supervisor'>): Promise<Control> {
  const { options, undo, log, registry, events, frontend } = parts;
  const storeDir = storeDirOf(options);
  await mkdir(storeDir, { recursive: true, mode: 0o700 });
  const deployments = new Deployments({ registry, supervisor, artifacts: new Artifacts(storeDir), events, log });
  const rollouts = new Rollouts({
    splitter: frontend.splitter,
    traffics: () => registry.traffics,
    currentVersion: (model) => registry.currentVersion(model),
    whyGivenUp: (model, version) => supervisor.whyGivenUp(model, version),
    carryOut: (traffic, candidate, verdict) => carryOut({ registry, deployments, events }, { traffic, candidate, verdict }),
  });
  undo.push(async () => rollouts[Symbol.dispose]());
  const autoscaler = new Autoscaler({ registry, supervisor, events, log, loadOf: (of) => frontend.loadOf(of) });
  undo.push(async () => autoscaler[Symbol.dispose]());
  const ending = new AbortController();
  undo.push(async () => ending.abort());
  return { deployments, autoscaler, resume: () => resume(parts, { deployments, supervisor }, ending.signal) };
}

/** The folder of bundles. */
export const storeDirOf = ({ stateDir }: ServeOptions): string => join(stateDir, 'bundles');

async function resume(
  { registry, log }: Pick<Parts, 'registry' | 'log'>,
  { deployments, supervisor }: Pick<Control, 'deployments'> & Pick<Replicas, 'supervisor'>,
  ending: AbortSignal,
): Promise<void> {
  await resumeAll({ registry, deployments, log }, ending);
  if (ending.aborted) return;
  await supervisor.endLeft();
  await deployments.collect();
  if (ending.aborted) return;
  const timer = setInterval(() => void deployments.collect(), collectEveryMs).unref();
  ending.addEventListener('abort', () => clearInterval(timer));
}

/** Switches to a candidate that did well, or ends the split if it did not. */
async function carryOut(
  { registry, deployments, events }: Pick<Parts, 'registry' | 'events'> & { readonly deployments: Deployments },
  { traffic, candidate: version, verdict }: { traffic: Traffic; candidate: string; verdict: Verdict },
): Promise<void> {
  const { kind, reason } = verdict;
  const { model } = traffic;
  // The split may have changed in the meantime.
  if (registry.traffic(model) !== traffic) return;
  if (kind === 'promote') {
    await deployments.activate(model, version, new AbortController().signal);
    events.add({ kind: 'promoted', model, version, message: `${model}:${version} was promoted: ${reason}` });
    return;
  }
  await registry.setTraffic(model, undefined);
  events.add({ kind: 'rolled_back', model, version, message: `${model}:${version} was given up: ${reason}` });
}
