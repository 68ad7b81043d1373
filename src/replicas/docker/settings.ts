import { createHash } from 'node:crypto';
import type { ContainerSettings } from '../../docker/containers.ts';
import { labels } from '../../docker/labels.ts';
import { ClipperError } from '../../errors.ts';
import { clipperVariables, type ReplicaSpec } from '../backend.ts';

/** A network to join, with the server's address in it, or the network of another container. */
export type JoinedNetwork = { readonly name: string; readonly serverAddress: string } | { readonly ofContainer: string };

/** Where a container runs in its cluster, and what it needs to reach the server. */
export interface Placement {
  readonly cluster: string;
  readonly instance: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: JoinedNetwork;
  readonly rpcPort: number;
  /** Left out: this machine. */
  readonly rpcHost?: string | undefined;
  readonly extensions?: boolean | undefined;
  readonly serverKey?: string | undefined;
  /** The engine's memory. */
  readonly memoryBytes: number;
}

/** The host name by which containers reach the server. */
const serverName = 'host.docker.internal';

const MiB = 2 ** 20;
const defaultMemoryBytes = 4_096 * MiB;
const maxProcesses = 512;
/** The least memory that an engine accepts. */
const leastMemoryMiB = 6;
const leastCpus = 0.01;
const sandboxMemoryBytes = 128 * MiB;

/** A replica's memory limit in bytes. */
const memoryLimit = ({ resources }: ReplicaSpec, engineBytes: number): number =>
  resources.memoryMiB === undefined ? Math.min(defaultMemoryBytes, engineBytes) : Math.round(resources.memoryMiB * MiB);

/** Throws E_INVALID_OPTION for less than an engine accepts, or more than it has. */
export function checkResources({ resources }: ReplicaSpec, engine: { memoryBytes: number; cpus: number }): void {
  const { memoryMiB, cpus } = resources;
  const most = Math.floor(engine.memoryBytes / MiB);
  const check = (name: string, value: number | undefined, [from, to]: readonly [number, number]): void => {
    if (value === undefined || (value >= from && value <= to)) return;
    throw new ClipperError(
      'E_INVALID_OPTION',
      `resources.${name} must be from ${from} to the ${to} that the Docker engine has, got ${value}`,
    );
  };
  check('memoryMiB', memoryMiB, [leastMemoryMiB, most]);
  check('cpus', cpus, [leastCpus, engine.cpus]);
}

/**
 * Settings of a replica's container that can do little but compute and answer: no privileges, a read-only root, limited
 * resources. The user's own image keeps its user and may write to its root, as Clipper's containers do.
 */
export function containerSettings(spec: ReplicaSpec, placement: Placement): ContainerSettings {
  const { source, resources } = spec;
  if (source.kind === 'bundle') throw new TypeError('a container is made of an image');
  const { cluster, instance, network } = placement;
  const memory = memoryLimit(spec, placement.memoryBytes);
  const settings = {
    name: `clipper-${cluster}-${instance}`,
    Image: source.image,
    Env: envOf(spec, placement),
    Labels: { ...placement.labels },
    HostConfig: {
      ...networkSettings(network),
      ...confinement(memory),
      ReadonlyRootfs: source.isOurs === true,
      ...(resources.cpus === undefined ? {} : { NanoCpus: Math.round(resources.cpus * 1e9) }),
      ...(resources.gpus === undefined ? {} : { DeviceRequests: [gpuRequest(resources.gpus)] }),
    },
  };
  // The instance is left out, so that replicas of one spec have the same fingerprint.
  return withFingerprint(settings, { image: source.image, env: envOf(spec, { ...placement, instance: '' }) });
}

/** A container that only holds a network for others. */
export const sandboxSettings = ({
  name,
  image,
  labels: all,
  ...network
}: {
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: string;
  readonly serverAddress: string;
}): ContainerSettings =>
  // Works with any image that has Node.
  withFingerprint({
    name,
    Image: image,
    Entrypoint: ['node', '--max-old-space-size=16', '-e', 'setInterval(() => {}, 2 ** 30)'],
    Labels: { ...all },
    HostConfig: {
      ...networkSettings({ name: network.network, serverAddress: network.serverAddress }),
      ...confinement(sandboxMemoryBytes),
      ReadonlyRootfs: true,
    },
  });

/** Labels a container with a hash of its settings. `facts`: settings to add to the hash, in a comparable form. */
const withFingerprint = (settings: ContainerSettings, facts: object = {}): ContainerSettings => {
  const { Entrypoint, HostConfig } = settings;
  const hash = createHash('sha256').update(JSON.stringify({ Entrypoint, HostConfig, ...facts }));
  return { ...settings, Labels: { ...settings.Labels, [labels.settings]: hash.digest('hex').slice(0, 16) } };
};

const networkSettings = (network: JoinedNetwork) =>
  'ofContainer' in network
    ? { NetworkMode: `container:${network.ofContainer}` }
    : { NetworkMode: network.name, ExtraHosts: [`${serverName}:${network.serverAddress}`] };

/** Limits and restrictions of all our containers. */
const confinement = (memory: number) => ({
  Init: true,
  Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=256m,mode=1777' },
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges'],
  PidsLimit: maxProcesses,
  Memory: memory,
  MemorySwap: memory,
  // The supervisor restarts replicas.
  RestartPolicy: { Name: 'no' },
  LogConfig: { Type: 'json-file', Config: { 'max-size': '16m', 'max-file': '2' } },
});

function envOf(
  spec: ReplicaSpec,
  { instance, rpcPort: port, rpcHost: host = serverName, extensions, serverKey }: Placement,
): string[] {
  const all = {
    CLIPPER_MODEL_PATH: '/model',
    ...spec.env,
    ...clipperVariables(spec, { instance, host, port, extensions, serverKey }),
  };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}

const gpuRequest = (gpus: number | 'all') => ({ Driver: '', Count: gpus === 'all' ? -1 : gpus, Capabilities: [['gpu']] });
