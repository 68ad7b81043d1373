import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { NetworkChoice } from '../../contract/deploys.ts';
import { stateOf } from '../../docker/containers.ts';
import type { DockerEngine } from '../../docker/engine.ts';
import { ClipperError } from '../../errors.ts';

/** The container that this process runs in, if it is one of the engine's. */
export async function ownContainer(engine: DockerEngine): Promise<string | undefined> {
  if (!existsSync('/.dockerenv')) return undefined;
  return (await stateOf(engine, hostname())) === undefined ? undefined : hostname();
}

/**
 * The server's address for containers of an engine in a virtual machine on this computer, such as Docker Desktop. The
 * virtual machine forwards its gateway to this computer's loopback. Throws if the engine has no such gateway.
 */
export function hostGateway({ facts }: DockerEngine, choice: NetworkChoice): string {
  const host = /^(?:tcp|https?|ssh):\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(facts.address)?.[1] ?? 'localhost';
  if (facts.isRootless || !/^(?:localhost|127\.|\[::1\])/.test(host)) {
    const why = facts.isRootless ? 'is rootless' : 'is on another machine';
    const message = `The Docker engine at ${facts.address} ${why}, and its containers can't reach a server that is not`;
    throw new ClipperError('E_DOCKER_UNAVAILABLE', message, {
      fix: 'run the server in a container of that engine, or use another engine',
    });
  }
  if (choice === 'cluster') return 'host-gateway';
  const message = "network: 'none' would keep replicas from the server too, as the Docker engine runs in a machine of its own";
  throw new ClipperError('E_INVALID_OPTION', message, { fix: 'leave network out, or run the server in a container' });
}
