import type { WantedReplicas } from '../contract/deploys.ts';
import type { EventLog } from '../control/event-log.ts';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { DeploymentRecord, ModelVersion } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ReplicaFleet } from '../replicas/fleet-backend.ts';
import { cancelled, type Supervisor } from '../replicas/supervisor.ts';
import { KeyedQueue } from '../util/keyed-queue.ts';
import type { Artifacts } from './artifacts.ts';
import { atStart, type DeployRequest, deploymentOf, modelOf, within } from './deploy-request.ts';
import { askSample } from './sample.ts';

export interface DeployedVersion {
  readonly version: string;
  /** The bundle's digest, or the image's if that is the user's own. */
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

/**
 * Deploys, scales, switches, stops and deletes model versions. A version becomes current only after its replicas have
 * connected and, if there is a sample, answered it.
 */
export class Deployments {
  readonly #parts: DeploymentsParts;
  /** Versions that are being deployed and not yet registered. */
  readonly #underway = new Map<string, DeploymentRecord>();
  /** Runs one operation at a time for each version, so that the stored state matches what runs. */
  readonly #turns = new KeyedQueue();

  constructor(parts: DeploymentsParts) {
    this.#parts = parts;
  }

  /**
   * Starts replicas of a version and, unless the request says otherwise, makes it the current one. If anything fails,
   * nothing is left running and the previous version keeps serving. Throws E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH,
   * E_REPLICA_EXITED, E_REPLICA_NOT_READY, E_SAMPLE_FAILED, E_CANCELLED.
   */
  async deploy(request: DeployRequest, signal: AbortSignal): Promise<DeployedVersion> {
    const { model, deployment } = this.#reserve(request);
    const key = modelKey(model.name, model.version);
    try {
      // In turn: if this version was deleted a moment ago, its replicas may still be ending.
      return await this.#turns.take(key, () => this.#start(model, deployment, { request, signal }));
    } finally {
      this.#underway.delete(key);
    }
  }

  async #start(
    model: ModelVersion,
    deployment: DeploymentRecord,
    { request, signal }: { request: DeployRequest; signal: AbortSignal },
  ): Promise<DeployedVersion> {
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

  /** Persists a version's number of replicas and scales to it. Resolves when they serve. */
  async setReplicas(name: string, version: string, replicas: WantedReplicas, signal: AbortSignal): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    this.#known(name, version);
    await this.#inTurn(name, version, signal, async (unlessCut) => {
      const deployment = this.#known(name, version);
      await registry.changeDeployment(name, version, { replicas, isStopped: false });
      const fleet = await this.#fleetOf(deployment, unlessCut);
      const before = fleet.wanted;
      const count = within(replicas, before);
      const message = `${modelKey(name, version)} goes from ${before} to ${count} replicas`;
      if (before !== count) events.add({ kind: 'scaled', model: name, version, message });
      await supervisor.scaleUntilConnected(fleet, count, { timeoutMs: connectTimeoutMs, signal: unlessCut });
    });
  }

  /**
   * Makes a version the current one. If it has no replica, they are started first, and it becomes current when they have
   * connected. Throws E_UNKNOWN_MODEL, E_INPUT_TYPE_MISMATCH, and what `deploy` throws.
   */
  async activate(name: string, version: string, signal: AbortSignal): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    registry.checkSwitchable(name, version);
    const isServed = (supervisor.fleet(name, version)?.connected.length ?? 0) > 0;
    if (!isServed && registry.deployment(name, version) !== undefined) {
      await this.#inTurn(name, version, signal, (unlessCut) => this.#wake(this.#known(name, version), unlessCut));
    }
    const before = registry.currentVersion(name);
    await registry.setCurrentVersion(name, version);
    if (before === version) return;
    events.add({ kind: 'switched', model: name, version, message: `${name} goes from version ${before} to ${version}` });
  }

  async #wake(deployment: DeploymentRecord, signal: AbortSignal): Promise<void> {
    const { registry, supervisor } = this.#parts;
    const { name, version, replicas } = deployment;
    const fleet = await this.#fleetOf(deployment, signal);
    const options = { timeoutMs: connectTimeoutMs, signal };
    if (fleet.wanted > 0) return void (await supervisor.scaleUntilConnected(fleet, fleet.wanted, options));
    const count = Math.max(1, atStart(replicas));
    try {
      await supervisor.scaleUntilConnected(fleet, count, options);
      await registry.changeDeployment(name, version, { isStopped: false, ...(replicas === 0 ? { replicas: count } : {}) });
    } catch (error) {
      await fleet.scale(0);
      throw error;
    }
  }

  /** Stops a version's replicas, including those that are starting. The version stays registered and can be started again. */
  stop(name: string, version: string): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    const key = modelKey(name, version);
    this.#turns.cut(key);
    return this.#turns.take(key, async () => {
      const fleet = supervisor.fleet(name, version);
      const isRunning = (fleet?.wanted ?? 0) > 0;
      await registry.changeDeployment(name, version, { isStopped: true });
      if (isRunning) events.add({ kind: 'stopped', model: name, version, message: `The replicas of ${key} are stopped` });
      await fleet?.scale(0);
    });
  }

  /** Stops the replicas of all versions of a model but the current one. Throws E_UNKNOWN_MODEL. */
  async stopInactive(name: string): Promise<void> {
    const { registry } = this.#parts;
    registry.requireModel(name);
    const isOther = ({ version }: ModelVersion): boolean => version !== registry.currentVersion(name);
    await Promise.all(
      registry
        .versionsOf(name)
        .filter(isOther)
        .map(({ version }) => this.stop(name, version)),
    );
  }

  /** Deletes a version, and its replicas if this server runs them. */
  async delete(name: string, version: string): Promise<void> {
    const { registry, supervisor, events } = this.#parts;
    const key = modelKey(name, version);
    registry.knownModel(name, version);
    this.#turns.cut(key);
    await this.#turns.take(key, async () => {
      const image = registry.deployment(name, version)?.image;
      const source = supervisor.fleet(name, version)?.spec.source ?? (image === undefined ? undefined : { kind: 'image', image });
      await registry.deleteModel(name, version);
      events.add({ kind: 'deleted', model: name, version, message: `${key} was deleted` });
      await supervisor.remove(name, version);
      if (source?.kind === 'image') await supervisor.discard(source);
    });
    await this.collect();
  }

  /** Starts a version again that this server or an earlier one deployed. Does nothing if it was stopped or deleted. */
  async resume({ name, version }: DeploymentRecord, signal: AbortSignal): Promise<void> {
    await this.#inTurn(name, version, signal, async (unlessCut) => {
      const deployment = this.#parts.registry.deployment(name, version);
      if (deployment === undefined || deployment.isStopped === true) return;
      const fleet = await this.#fleetOf(deployment, unlessCut);
      await fleet.scale(within(deployment.replicas, fleet.wanted));
    });
  }

  /** Removes the bundles and images that no version needs. Never rejects: what can't be removed now may be next time. */
  async collect(): Promise<void> {
    const { registry, supervisor, artifacts, log } = this.#parts;
    const needed = [...registry.deployments, ...this.#underway.values()];
    try {
      await supervisor.collect(needed.map(({ name, version }) => ({ modelName: name, modelVersion: version })));
      const collected = await artifacts.collect(needed);
      if (collected.length > 0) log.info({ bundles: collected }, 'bundles that no version needs were removed');
    } catch (error) {
      log.warn({ err: error }, 'bundles and images that no version needs could not be removed');
    }
  }

  /** The integer after the largest that is registered or being deployed. */
  nextVersion(name: string): string {
    let version = Number(this.#parts.registry.nextVersion(name));
    while (this.#underway.has(modelKey(name, String(version)))) version++;
    return String(version);
  }

  /**
   * Runs a job after the version's earlier operations. `unlessCut` aborts when the version is stopped or deleted. Throws
   * E_CANCELLED.
   */
  #inTurn(name: string, version: string, signal: AbortSignal, job: (unlessCut: AbortSignal) => Promise<void>): Promise<void> {
    const key = modelKey(name, version);
    return this.#turns.take(key, async (cut) => {
      try {
        if (cut.aborted || signal.aborted) throw cancelled();
        await job(AbortSignal.any([signal, cut]));
      } catch (error) {
        if (!cut.aborted) throw error;
        throw new ClipperError('E_CANCELLED', `Model '${key}' was stopped or deleted meanwhile`, { cause: error });
      }
    });
  }

  /** The fleet of a version. A new one takes over the replicas that an earlier server left. */
  async #fleetOf(deployment: DeploymentRecord, signal: AbortSignal): Promise<ReplicaFleet> {
    const { supervisor, artifacts } = this.#parts;
    const { name, version } = deployment;
    const known = supervisor.fleet(name, version);
    return known ?? supervisor.add(artifacts.specOf(deployment), signal, { adopts: true });
  }

  #known(name: string, version: string): DeploymentRecord {
    const deployment = this.#parts.registry.deployment(name, version);
    if (deployment !== undefined) return deployment;
    this.#parts.registry.knownModel(name, version);
    const message = `The replicas of model '${modelKey(name, version)}' are not this server's to start or stop`;
    throw new ClipperError('E_UNKNOWN_MODEL', `${message}: it was registered, or deployed by another one`);
  }

  #reserve(request: DeployRequest): { readonly model: ModelVersion; readonly deployment: DeploymentRecord } {
    const version = request.version ?? this.nextVersion(request.name);
    const key = modelKey(request.name, version);
    const model = modelOf(request, version);
    this.#parts.registry.checkAddable(model);
    if (this.#underway.has(key)) {
      throw new ClipperError('E_MODEL_EXISTS', `Model '${key}' is being deployed by another call`);
    }
    const deployment = deploymentOf(request, version);
    this.#underway.set(key, deployment);
    return { model, deployment };
  }
}
