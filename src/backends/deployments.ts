import type { EventLog } from '../control/event-log.ts';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type {
  Deployment,
  ModelVersion,
  NetworkChoice,
  Resources,
  ServingSettings,
  WantedReplicas,
} from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { Artifacts } from './artifacts.ts';
import type { Fleet } from './fleet.ts';
import { askSample } from './sample.ts';
import { cancelled, type Supervisor } from './supervisor.ts';

export interface DeployRequest extends ServingSettings {
  readonly name: string;
  /** Left out: the next free integer. */
  readonly version?: string | undefined;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly replicas: WantedReplicas;
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly network: NetworkChoice;
  /** Names a bundle in the cluster's store; of an image of ours, the one that it was made of. */
  readonly digest?: string | undefined;
  /** What to run in place of a bundle. */
  readonly image?: string | undefined;
  /** An input that a replica must answer before the version becomes current. */
  readonly sample?: Uint8Array | undefined;
  /** Whether the version becomes the current one. */
  readonly current: boolean;
}

export interface Deployed {
  readonly version: string;
  /** Of the bundle; of the image where that is the user's own. */
  readonly digest: string;
}

export interface DeploymentsParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly artifacts: Artifacts;
  readonly events: EventLog;
  readonly log: Log;
}

const connectTimeoutMs = 60_000;

/** Takes bundles to serving model versions, and versions from one state to another. A version is current only after its replicas connected and answered. */
export class Deployments {
  readonly #parts: DeploymentsParts;
  /** Versions that are being deployed and are not registered yet. */
  readonly #underway = new Map<string, Deployment>();
  /** Fleets of versions that were deployed before. Whoever comes meanwhile is given the same. */
  readonly #opening = new Map<string, Promise<Fleet>>();

  constructor(parts: DeploymentsParts) {
    this.#parts = parts;
  }

  /**
   * Starts replicas of a bundle and makes it the current version, unless that is not wanted. Where anything fails nothing
   * is left running, and the version before keeps serving. Throws E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH,
   * E_REPLICA_EXITED, E_REPLICA_NOT_READY, E_SAMPLE_FAILED, E_CANCELLED.
   */
  async deploy(request: DeployRequest, signal: AbortSignal): Promise<Deployed> {
    const { model, deployment } = this.#reserve(request);
    try {
      return await this.#start(model, deployment, { request, signal });
    } finally {
      this.#underway.delete(modelKey(model.name, model.version));
    }
  }

  async #start(
    model: ModelVersion,
    deployment: Deployment,
    { request, signal }: { request: DeployRequest; signal: AbortSignal },
  ): Promise<Deployed> {
    const { registry, supervisor, artifacts, events } = this.#parts;
    const spec = artifacts.specOf(deployment);
    const { name, version } = model;
    try {
      const fleet = await supervisor.add(spec, signal);
      const count = atStart(request.replicas);
      const [first] = await supervisor.scaleUntilConnected(fleet, count, { timeoutMs: connectTimeoutMs, signal });
      const tailOf = (instance: string): Promise<string> => supervisor.tailOf(instance);
      if (first !== undefined && request.sample !== undefined) await askSample(first, request.sample, { signal, tailOf });
      if (signal.aborted) throw cancelled();
      const { source } = fleet.spec;
      const digest = request.digest ?? (source.kind === 'image' ? source.image.replace(/^sha256:/, '') : '');
      await registry.addModel(model, { isCurrent: request.current, deployment: { ...deployment, digest } });
      const means = request.current ? 'is current' : 'is not current yet';
      events.add({ kind: 'deployed', model: name, version, message: `${modelKey(name, version)} was deployed and ${means}` });
      return { version, digest };
    } catch (error) {
      await supervisor.takeBack(spec);
      throw error;
    }
  }

  /** Changes how many replicas a deployed version has, also after a restart of the server; resolves when they serve. */
  async setReplicas(name: string, version: string, replicas: WantedReplicas, signal: AbortSignal): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    const deployment = this.#known(name, version);
    await registry.changeDeployment(name, version, { replicas, isStopped: false });
    const fleet = await this.#fleetOf(deployment, signal);
    const before = fleet.wanted;
    const count = within(replicas, before);
    const message = `${modelKey(name, version)} goes from ${before} to ${count} replicas`;
    if (before !== count) events.add({ kind: 'scaled', model: name, version, message });
    await supervisor.scaleUntilConnected(fleet, count, { timeoutMs: connectTimeoutMs, signal });
  }

  /**
   * Makes a version the current one. One of which no replica is wanted is started again from what it was deployed from, and
   * is current only when its replicas connected. Throws E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH, and as deploy does.
   */
  async activate(name: string, version: string, signal: AbortSignal): Promise<void> {
    const { registry, events } = this.#parts;
    registry.checkSwitchable(name, version);
    const deployment = registry.deployment(name, version);
    if (deployment !== undefined) await this.#wake(deployment, signal);
    const before = registry.currentVersion(name);
    await registry.setCurrentVersion(name, version);
    if (before === version) return;
    events.add({ kind: 'switched', model: name, version, message: `${name} goes from version ${before} to ${version}` });
  }

  async #wake(deployment: Deployment, signal: AbortSignal): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { name, version, replicas } = deployment;
    const isScaledToZero = typeof replicas === 'object' && deployment.isStopped !== true;
    if (isScaledToZero || (supervisor.fleet(name, version)?.wanted ?? 0) > 0) return;
    const fleet = await this.#fleetOf(deployment, signal);
    const count = Math.max(1, atStart(replicas));
    try {
      await supervisor.scaleUntilConnected(fleet, count, { timeoutMs: connectTimeoutMs, signal });
    } catch (error) {
      await fleet.scale(0);
      throw error;
    }
    await registry.changeDeployment(name, version, { isStopped: false, ...(replicas === 0 ? { replicas: count } : {}) });
  }

  /** Stops a version's replicas; the version stays registered, and can be started again. */
  async stop(name: string, version: string): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    if (registry.deployment(name, version)?.isStopped === false || this.#isRunning(name, version)) {
      const message = `The replicas of ${modelKey(name, version)} are stopped`;
      events.add({ kind: 'stopped', model: name, version, message });
    }
    await registry.changeDeployment(name, version, { isStopped: true });
    await supervisor.fleet(name, version)?.scale(0);
  }

  /** Deletes a version, with its replicas where they are this server's. */
  async delete(name: string, version: string): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    const image = registry.deployment(name, version)?.image;
    const source = supervisor.fleet(name, version)?.spec.source ?? (image === undefined ? undefined : { kind: 'image', image });
    await registry.deleteModel(name, version);
    events.add({ kind: 'deleted', model: name, version, message: `${modelKey(name, version)} was deleted` });
    await supervisor.remove(name, version);
    if (source?.kind === 'image') await supervisor.discard(source);
    await this.collect();
  }

  /** Takes charge of a version again that this server, or one before it, deployed. */
  async resume(deployment: Deployment, signal: AbortSignal): Promise<void> {
    const fleet = await this.#fleetOf(deployment, signal);
    // It may be wanted otherwise by now.
    const { replicas, isStopped } = this.#parts.registry.deployment(deployment.name, deployment.version) ?? { replicas: 0 };
    await fleet.scale(isStopped === true ? 0 : within(replicas, fleet.wanted));
  }

  /** Takes away the bundles and images that no version needs. Never rejects: what can't be removed now is looked at again. */
  async collect(): Promise<void> {
    const { registry, supervisor, artifacts, log } = this.#parts;
    const needed = [...registry.deployments, ...this.#underway.values()];
    try {
      await supervisor.collect(needed.map(({ name, version }) => ({ modelName: name, modelVersion: version })));
      const collected = await artifacts.collect(needed);
      if (collected.length > 0) log.info({ bundles: collected }, 'bundles that no version needs were taken away');
    } catch (error) {
      log.warn({ err: error }, 'what no version needs could not be taken away');
    }
  }

  /** The integer after the largest that is in use or being deployed. */
  nextVersion(name: string): string {
    let version = Number(this.#parts.registry.nextVersion(name));
    while (this.#underway.has(modelKey(name, String(version)))) version++;
    return String(version);
  }

  #isRunning(name: string, version: string): boolean {
    return (this.#parts.supervisor.fleet(name, version)?.wanted ?? 0) > 0;
  }

  /** The fleet of a version, with the replicas that an earlier server left. */
  async #fleetOf(deployment: Deployment, signal: AbortSignal): Promise<Fleet> {
    const { supervisor, artifacts } = this.#parts;
    const { name, version } = deployment;
    const known = supervisor.fleet(name, version) ?? this.#opening.get(modelKey(name, version));
    if (known !== undefined) return known;
    const opening = supervisor.add(artifacts.specOf(deployment), signal, { adopts: true });
    this.#opening.set(modelKey(name, version), opening);
    return opening.finally(() => this.#opening.delete(modelKey(name, version)));
  }

  #known(name: string, version: string): Deployment {
    const deployment = this.#parts.registry.deployment(name, version);
    if (deployment !== undefined) return deployment;
    this.#parts.registry.knownModel(name, version);
    const message = `The replicas of model '${modelKey(name, version)}' are not this server's to start or stop`;
    throw new ClipperError('E_UNKNOWN_MODEL', `${message}: it was registered, or deployed by another one`);
  }

  #reserve(request: DeployRequest): { readonly model: ModelVersion; readonly deployment: Deployment } {
    const { name, inputType, labels, digest = '', image, env, resources, network, replicas } = request;
    const version = request.version ?? this.nextVersion(name);
    const key = modelKey(name, version);
    const containerName = image ?? `clipper-ts/closure:${digest.slice(0, 12)}`;
    const { batchSize, batchDelayMicros = 0, hedge = false, cache = true } = request;
    const serving = { batchSize, batchDelayMicros, hedge, cache };
    const model = { name, version, inputType, labels, containerName, modelDataPath: digest, ...serving };
    this.#parts.registry.checkAddable(model);
    if (this.#underway.has(key)) {
      throw new ClipperError('E_MODEL_EXISTS', `Model '${key}' is being deployed by another call`);
    }
    const deployment = { name, version, inputType, digest, image, env, resources, network, replicas };
    this.#underway.set(key, deployment);
    return { model, deployment };
  }
}

/** How many to begin with, and to prove that the version works. */
const atStart = (wanted: WantedReplicas): number => (typeof wanted === 'number' ? wanted : Math.max(1, wanted.min));

/** How many there are to be from now on, where so many are there. */
const within = (wanted: WantedReplicas, now: number): number =>
  typeof wanted === 'number' ? wanted : Math.min(wanted.max, Math.max(1, wanted.min, now));
