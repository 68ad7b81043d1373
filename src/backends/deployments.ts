import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { modelKey } from '../control/names.ts';
import type { Registry } from '../control/registry.ts';
import type { ModelVersion, NetworkChoice, Resources, ServingSettings } from '../control/state-store.ts';
import { ClipperError, isClipperError } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import { type RemoteError, readRemoteError } from '../protocol/messages.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import { deferred } from '../util/deferred.ts';
import { printShort } from '../util/print.ts';
import type { ReplicaSource, ReplicaSpec } from './backend.ts';
import { cancelled, type Supervisor } from './supervisor.ts';

export interface DeployRequest extends ServingSettings {
  readonly name: string;
  /** Left out: the next free integer. */
  readonly version?: string | undefined;
  readonly inputType: InputType;
  readonly labels: readonly string[];
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly network: NetworkChoice;
  /** Names a bundle in the cluster's store; of an image of ours, the one that it was made of. */
  readonly digest?: string | undefined;
  /** What to run in place of a bundle. */
  readonly image?: string | undefined;
  /** An input that a replica must answer before the version becomes current. */
  readonly sample?: Uint8Array | undefined;
}

export interface Deployed {
  readonly version: string;
  /** Of the bundle; of the image where that is the user's own. */
  readonly digest: string;
}

const connectTimeoutMs = 60_000;
const sampleTimeoutMs = 30_000;

/** Takes bundles to serving model versions. A version is current only after its replicas connected and answered. */
export class Deployments {
  readonly #registry: Registry;
  readonly #supervisor: Supervisor;
  readonly #storeDir: string;
  /** Versions that are being deployed and are not registered yet. */
  readonly #underway = new Set<string>();

  constructor(registry: Registry, supervisor: Supervisor, storeDir: string) {
    this.#registry = registry;
    this.#supervisor = supervisor;
    this.#storeDir = storeDir;
  }

  /**
   * Starts replicas of a bundle and makes it the current version. Where anything fails nothing is left running, and the
   * version before keeps serving. Throws E_MODEL_EXISTS, E_INPUT_TYPE_MISMATCH, E_REPLICA_EXITED, E_REPLICA_NOT_READY,
   * E_SAMPLE_FAILED, E_CANCELLED.
   */
  async deploy(request: DeployRequest, signal: AbortSignal): Promise<Deployed> {
    const model = this.#reserve(request);
    try {
      return await this.#start(model, request, signal);
    } finally {
      this.#underway.delete(modelKey(model.name, model.version));
    }
  }

  async #start(model: ModelVersion, request: DeployRequest, signal: AbortSignal): Promise<Deployed> {
    const spec = this.#specOf(request, model.version);
    try {
      const fleet = await this.#supervisor.add(spec, signal);
      const options = { timeoutMs: connectTimeoutMs, signal };
      const [first] = await this.#supervisor.scaleUntilConnected(fleet, request.replicas, options);
      if (first !== undefined && request.sample !== undefined) await this.#askSample(first, request.sample, signal);
      if (signal.aborted) throw cancelled();
      await this.#registry.addModel(model, { isCurrent: true });
      const { source } = fleet.spec;
      const digest = request.digest ?? (source.kind === 'image' ? source.image.replace(/^sha256:/, '') : '');
      return { version: model.version, digest };
    } catch (error) {
      await this.#supervisor.takeBack(spec);
      throw error;
    }
  }

  /** Changes how many replicas a deployed version has; resolves when they serve. */
  async setReplicas(name: string, version: string, replicas: number, signal: AbortSignal): Promise<void> {
    const fleet = this.#supervisor.fleet(name, version);
    if (fleet === undefined) {
      const message = `The replicas of model '${modelKey(name, version)}' are not this server's to start or stop`;
      throw new ClipperError('E_UNKNOWN_MODEL', `${message}: it was registered, not deployed, or it was stopped`);
    }
    await this.#supervisor.scaleUntilConnected(fleet, replicas, { timeoutMs: connectTimeoutMs, signal });
  }

  /** Stops a version's replicas; the version stays registered. */
  async stop(name: string, version: string): Promise<void> {
    await this.#supervisor.fleet(name, version)?.scale(0);
  }

  /** Throws E_SAMPLE_FAILED, E_CANCELLED. */
  async #askSample(replica: RpcReplica, sample: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      await askSample(replica, sample, signal);
    } catch (error) {
      if (!isClipperError(error) || error.code !== 'E_REPLICA_LOST') throw error;
      const { instance = '' } = replica;
      const message = `The replica ended while it computed the sample: ${error.message}. The end of its log`;
      throw new ClipperError('E_SAMPLE_FAILED', `${message}:\n${await this.#supervisor.tailOf(instance)}`, { cause: error });
    }
  }

  #reserve(request: DeployRequest): ModelVersion {
    const model = { ...this.#describe(request), version: request.version ?? this.nextVersion(request.name) };
    const key = modelKey(model.name, model.version);
    this.#registry.checkAddable(model);
    if (this.#underway.has(key)) {
      throw new ClipperError('E_MODEL_EXISTS', `Model '${key}' is being deployed by another call`);
    }
    this.#underway.add(key);
    return model;
  }

  #specOf({ name, inputType, env, resources, network, ...request }: DeployRequest, version: string): ReplicaSpec {
    return { modelName: name, modelVersion: version, inputType, env, resources, network, source: this.#sourceOf(request) };
  }

  #sourceOf({ digest, image }: Pick<DeployRequest, 'digest' | 'image'>): ReplicaSource {
    if (image === undefined) return { kind: 'bundle', dir: this.#bundleDir(digest ?? '') };
    return { kind: 'image', image };
  }

  #describe({ name, inputType, labels, digest = '', image, ...request }: DeployRequest): Omit<ModelVersion, 'version'> {
    const containerName = image ?? `clipper-ts/closure:${digest.slice(0, 12)}`;
    const { batchSize, batchDelayMicros = 0, hedge = false, cache = true } = request;
    return { name, inputType, labels, containerName, modelDataPath: digest, batchSize, batchDelayMicros, hedge, cache };
  }

  /** The integer after the largest that is in use or being deployed. */
  nextVersion(name: string): string {
    let version = Number(this.#registry.nextVersion(name));
    while (this.#underway.has(modelKey(name, String(version)))) version++;
    return String(version);
  }

  #bundleDir(digest: string): string {
    const dir = join(this.#storeDir, digest);
    if (/^[0-9a-f]{64}$/.test(digest) && existsSync(join(dir, 'manifest.json'))) return dir;
    throw new ClipperError('E_INVALID_OPTION', `The cluster has no bundle with digest ${printShort(digest)}`);
  }
}

/** Asks a replica for its answer to the sample. Throws E_SAMPLE_FAILED, E_CANCELLED. */
async function askSample(replica: RpcReplica, sample: Uint8Array, signal: AbortSignal): Promise<void> {
  const given = deferred<never>();
  const abort = (): void => given.reject(cancelled());
  const message = `The sample was not answered within ${sampleTimeoutMs / 1_000} s`;
  const late = setTimeout(() => given.reject(new ClipperError('E_SAMPLE_FAILED', message)), sampleTimeoutMs);
  signal.addEventListener('abort', abort);
  try {
    const { outputs } = await Promise.race([replica.predict([sample]), given.promise]);
    const [output] = outputs;
    if (output?.failed === true) throw sampleFailed(readRemoteError(output.text));
  } finally {
    clearTimeout(late);
    signal.removeEventListener('abort', abort);
  }
}

const sampleFailed = ({ name, message, stack }: RemoteError): ClipperError =>
  new ClipperError(
    'E_SAMPLE_FAILED',
    `The function failed on the sample with ${name}: ${message}\n\nIn the replica:\n${stack ?? '(no stack)'}`,
  );
