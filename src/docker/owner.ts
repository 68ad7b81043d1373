import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAlive, startTimeOf } from '../util/processes.ts';
import { stateOf } from './containers.ts';
import type { DockerEngine } from './engine.ts';

/** Names this process on whatever machine, also when its number is used again: for labels on what is its own. */
export const ownIdentity = (): string => [hostname(), process.pid, startTimeOf(process.pid), processSpace()].join('/');

/** Whether the process that a label names lives. One that can't be seen from here is taken for alive. */
export async function isOwnerAlive(engine: DockerEngine, identity: string): Promise<boolean> {
  const [host = '', pid = '', started = '', space = ''] = identity.split('/');
  if (space === processSpace() && host === hostname()) return isAlive({ pid: Number(pid), startTime: started });
  // One in a container has that one's id as its host's name, unless it was given another.
  if (!/^[0-9a-f]{12}$/.test(host)) return true;
  return (await stateOf(engine, host))?.isRunning === true;
}

/** What tells apart machines and containers in which the same numbers mean other processes; empty where it can't be told. */
function processSpace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return createHash('sha256')
      .update(`${boot} ${readlinkSync('/proc/self/ns/pid')}`)
      .digest('hex')
      .slice(0, 12);
  } catch {
    return '';
  }
}
