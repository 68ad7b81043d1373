import { statusOf } from './docker-errors.ts';
import type { DockerEngine } from './engine.ts';

export interface NetworkSettings {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether its containers can only reach each other and this machine. */
  readonly isInternal: boolean;
}

export interface NetworkFacts {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** This machine's address in the network. */
  readonly gateway: string;
}

/** Creates a bridge network. Undefined if the name is taken. */
export function createNetwork(
  engine: DockerEngine,
  { name, labels, isInternal }: NetworkSettings,
): Promise<NetworkFacts | undefined> {
  return engine.ask(`The network ${name} could not be made`, 'E_DOCKER_REFUSED', async (api) => {
    const settings = { Name: name, Driver: 'bridge', Internal: isInternal, CheckDuplicate: true, Labels: { ...labels } };
    try {
      const network = await api.createNetwork(settings);
      return factsOf((await network.inspect()) as InspectedNetwork);
    } catch (error) {
      if (statusOf(error) === 409) return undefined;
      throw error;
    }
  });
}

export async function networksLabelled(engine: DockerEngine, ...labels: readonly string[]): Promise<readonly NetworkFacts[]> {
  const found = await engine.ask('The networks can not be listed', 'E_DOCKER_REFUSED', (api) =>
    api.listNetworks({ filters: JSON.stringify({ label: labels }) }),
  );
  return (found as unknown as readonly InspectedNetwork[]).map(factsOf);
}

export async function removeNetwork(engine: DockerEngine, id: string): Promise<void> {
  await engine.find(`The network ${id} can't be removed`, (api) => api.getNetwork(id).remove());
}

/** Connects a container to a network. Returns its address there. */
export async function joinNetwork(engine: DockerEngine, network: NetworkFacts, container: string): Promise<string> {
  return engine.ask(`This server's container can't join the network ${network.name}`, 'E_DOCKER_REFUSED', async (api) => {
    const addressIn = async (): Promise<string | undefined> => {
      const { NetworkSettings } = await api.getContainer(container).inspect();
      return NetworkSettings.Networks[network.name]?.IPAddress;
    };
    // It may have joined before it was restarted.
    const known = await addressIn();
    if (known !== undefined) return known;
    await api.getNetwork(network.id).connect({ Container: container });
    return (await addressIn()) ?? '';
  });
}

export async function leaveNetwork(engine: DockerEngine, id: string, container: string): Promise<void> {
  await engine.find('This container left the network', (api) =>
    api.getNetwork(id).disconnect({ Container: container, Force: true }),
  );
}

interface InspectedNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly IPAM?: { readonly Config?: readonly { readonly Gateway?: string }[] };
}

const factsOf = ({ Id, Name, Labels, IPAM }: InspectedNetwork): NetworkFacts => ({
  id: Id,
  name: Name,
  labels: Labels ?? {},
  gateway: IPAM?.Config?.[0]?.Gateway ?? '',
});
