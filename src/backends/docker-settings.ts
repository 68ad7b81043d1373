import type { ContainerSettings } from '../docker/containers.ts';
import { clipperVariables, type ReplicaSpec } from './backend.ts';

/** Where a container of a cluster is placed. */
export interface Placement {
  readonly cluster: string;
  readonly instance: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: string;
  /** What `host.docker.internal` is in it: where the server is. */
  readonly serverAddress: string;
  readonly rpcPort: number;
  /** What the engine has. */
  readonly memoryBytes: number;
}

/** The name that containers know the server's machine by. */
export const serverName = 'host.docker.internal';

const MiB = 2 ** 20;
const defaultMemoryBytes = 4_096 * MiB;
const maxProcesses = 512;

/** A replica's limit of memory, in bytes. */
export const memoryLimit = ({ resources }: ReplicaSpec, engineBytes: number): number =>
  resources.memoryMiB === undefined ? Math.min(defaultMemoryBytes, engineBytes) : Math.round(resources.memoryMiB * MiB);

/**
 * A replica as a container that can do little but compute and answer: without privileges, on a read-only root, within
 * limits. An image that the user made keeps its own user, and may write to its root as Clipper's containers do.
 */
export function containerSettings(spec: ReplicaSpec, placement: Placement): ContainerSettings {
  const { source, resources } = spec;
  if (source.kind === 'bundle') throw new TypeError('a container is made of an image');
  const { cluster, instance, labels, network, serverAddress, rpcPort } = placement;
  const memory = memoryLimit(spec, placement.memoryBytes);
  return {
    name: `clipper-${cluster}-${instance}`,
    Image: source.image,
    Env: envOf(spec, { instance, port: rpcPort }),
    Labels: { ...labels },
    HostConfig: {
      NetworkMode: network,
      ExtraHosts: [`${serverName}:${serverAddress}`],
      Init: true,
      ReadonlyRootfs: source.isOurs === true,
      Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=256m,mode=1777' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: maxProcesses,
      Memory: memory,
      MemorySwap: memory,
      ...(resources.cpus === undefined ? {} : { NanoCpus: Math.round(resources.cpus * 1e9) }),
      ...(resources.gpus === undefined ? {} : { DeviceRequests: [gpuRequest(resources.gpus)] }),
      // The supervisor starts another one.
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '16m', 'max-file': '2' } },
    },
  };
}

function envOf(spec: ReplicaSpec, { instance, port }: { instance: string; port: number }): string[] {
  const all = { CLIPPER_MODEL_PATH: '/model', ...spec.env, ...clipperVariables(spec, { instance, host: serverName, port }) };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}

const gpuRequest = (gpus: number | 'all') => ({ Driver: '', Count: gpus === 'all' ? -1 : gpus, Capabilities: [['gpu']] });
