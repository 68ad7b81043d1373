import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAlive, startTimeOf } from '../util/processes.ts';
import { stateOf } from './containers.ts';
import type { DockerEngine } from './engine.ts';

/** Names this process on whatever machine, also when its number is used again: for labels on what is its own. */
export const ownIdentity = (): string =>
  [hostname(), process.pid, startTimeOf(process.pid), processSpace(), digestOf(bootId())].join('/');

/** Whether the process that a label names lives. One that can't be seen from here is taken for alive. */
export async function isOwnerAlive(engine: DockerEngine, identity: string): Promise<boolean> {
  const [host = '', pid = '', started = '', space = '', boot = ''] = identity.split('/');
  if (space === processSpace() && host === hostname()) return isAlive({ pid: Number(pid), startTime: started });
  const isContainer = /^[0-9a-f]{12}$/.test(host);
  // What ran before this machine was started is dead, and so is what ran in this very container before it was.
  const isOfBefore = boot !== '' && boot !== digestOf(bootId());
  if (host === hostname() && (isOfBefore || (isContainer && existsSync('/.dockerenv')))) return false;
  // One in a container has that one's id as its host's name, unless it was given another.
  return !isContainer || (await stateOf(engine, host))?.isRunning === true;
}

/** What tells apart machines and containers in which the same numbers mean other processes; empty where it can't be told. */
function processSpace(): string {
  try {
    return digestOf(`${bootId()} ${readlinkSync('/proc/self/ns/pid')}`);
  } catch {
    return '';
  }
}

/** Another one each time that the machine is started; empty where it can't be told. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

const digestOf = (text: string): string => (text === '' ? '' : createHash('sha256').update(text).digest('hex').slice(0, 12));
