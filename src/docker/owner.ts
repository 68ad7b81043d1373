import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAlive, startTimeOf } from '../util/processes.ts';
import { stateOf } from './containers.ts';
import type { DockerEngine } from './engine.ts';

/** Identifies this process in labels. Unique across machines, even if the process id is reused. */
export const ownIdentity = (): string =>
  [hostname(), process.pid, startTimeOf(process.pid), processSpace(), digestOf(bootId())].join('/');

/** Whether the process that a label names is alive. Assumes so if it can't be seen from here. */
export async function isOwnerAlive(engine: DockerEngine, identity: string): Promise<boolean> {
  const [host = '', pid = '', started = '', space = '', boot = ''] = identity.split('/');
  if (space === processSpace() && host === hostname()) return isAlive({ pid: Number(pid), startTime: started });
  const isContainer = /^[0-9a-f]{12}$/.test(host);
  // Processes from before this machine's last boot are dead, and so are those of earlier runs of this container.
  const isOfBefore = boot !== '' && boot !== digestOf(bootId());
  if (host === hostname() && (isOfBefore || (isContainer && existsSync('/.dockerenv')))) return false;
  // A container's host name is its id, unless another was set.
  return !isContainer || (await stateOf(engine, host))?.isRunning === true;
}

/** Identifies the machine and PID namespace, as process ids are unique only there; empty if unknown. */
function processSpace(): string {
  try {
    return digestOf(`${bootId()} ${readlinkSync('/proc/self/ns/pid')}`);
  } catch {
    return '';
  }
}

/** Changes with each boot of the machine; empty if unknown. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

const digestOf = (text: string): string => (text === '' ? '' : createHash('sha256').update(text).digest('hex').slice(0, 12));
