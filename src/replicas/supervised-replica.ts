import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { RunningReplica } from './backend.ts';

/** A replica that is wanted: running, or about to be started again. */
export interface SupervisedReplica {
  instance: string;
  running: RunningReplica | undefined;
  /** The start at hand, or the last one; settled when the replica runs, or can't. */
  starting: Promise<void>;
  startedAt: number;
  /** As it announced itself. */
  replica: RpcReplica | undefined;
  quickDeaths: number;
  /** How often it died, one time after the other, before it had answered anything. */
  idleDeaths: number;
  restart: NodeJS.Timeout | undefined;
  isStopping: boolean;
  /** It served under a server before this one. */
  isAdopted: boolean;
  /** Nobody tells when it connects. */
  readonly isUnheard: boolean;
}

const firstDelayMs = 100;
const longestDelayMs = 30_000;
/** One that answered before it died is worth its start. */
const longestServedDelayMs = 1_000;
/** A replica that lived this long has proved itself: the next restart is quick again. */
const provenMs = 10_000;
/** A replica that dies so often without having answered anything will not do better. */
const crashLoopDeaths = 6;

export const newSupervisedReplica = ({ isUnheard }: Pick<SupervisedReplica, 'isUnheard'>): SupervisedReplica => ({
  instance: '',
  running: undefined,
  starting: Promise.resolve(),
  startedAt: 0,
  replica: undefined,
  quickDeaths: 0,
  idleDeaths: 0,
  restart: undefined,
  isStopping: false,
  isAdopted: false,
  isUnheard,
});

/** Whether it is there for queries. */
export const isConnected = ({ running, replica, isStopping }: SupervisedReplica): boolean =>
  running !== undefined && !isStopping && replica?.isLost === false;

/** To be told of each time that it dies of itself. */
export function noteDeath(member: SupervisedReplica): void {
  member.idleDeaths = hasServed(member) ? 0 : member.idleDeaths + 1;
}

/** Whether it died too often, one time after the other, before it had answered anything. */
export const isHopeless = ({ idleDeaths }: SupervisedReplica): boolean => idleDeaths >= crashLoopDeaths;

/** How long to wait before one that died, or could not be started, is started again: longer each time. */
export function nextDelayMs(member: SupervisedReplica): number {
  member.quickDeaths = isProven(member) ? 0 : member.quickDeaths + 1;
  const longest = hasServed(member) ? longestServedDelayMs : longestDelayMs;
  return Math.min(longest, firstDelayMs * 2 ** Math.max(0, member.quickDeaths - 1));
}

const isProven = ({ startedAt }: SupervisedReplica): boolean => performance.now() - startedAt > provenMs;

function hasServed(member: SupervisedReplica): boolean {
  const { isAdopted, isUnheard, replica } = member;
  if (isAdopted || replica?.hasAnswered === true) return true;
  // One that is long in loading its model has not served, however long it lives.
  return isProven(member) && (isUnheard || replica !== undefined);
}
