import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { RunningReplica } from './backend.ts';

const firstDelayMs = 100;
const longestDelayMs = 30_000;
/** A replica that has answered is worth restarting soon. */
const longestServedDelayMs = 1_000;
/** A replica that lived this long has proved itself, and its next restart is quick again. */
const provenMs = 10_000;
/** A replica that died this often without answering anything is given up. */
const crashLoopDeaths = 6;

type ReplicaState =
  /** `started` settles when the replica runs or its start has failed. */
  | { readonly kind: 'starting'; readonly started: Promise<void> }
  | { readonly kind: 'running'; readonly running: RunningReplica }
  /** The replica died and waits for its restart. */
  | { readonly kind: 'resting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'ended' };

/** One wanted replica, across all its restarts: each starts a new instance. */
export class SupervisedReplica {
  instance = '';
  state: ReplicaState = { kind: 'ended' };
  /** The instance's connection; undefined until it connects. */
  replica: RpcReplica | undefined;
  isStopping = false;
  readonly #isUnheard: boolean;
  #startedAt = 0;
  #isAdopted = false;
  #quickDeaths = 0;
  #idleDeaths = 0;

  /** `isUnheard`: `replica` is never set, because replicas connect to a server elsewhere. */
  constructor({ isUnheard }: { readonly isUnheard: boolean }) {
    this.#isUnheard = isUnheard;
  }

  get running(): RunningReplica | undefined {
    return this.state.kind === 'running' ? this.state.running : undefined;
  }

  /** Whether it takes queries. */
  get isConnected(): boolean {
    return this.state.kind === 'running' && !this.isStopping && this.replica?.isLost === false;
  }

  /** Whether its instance was started by an earlier server. */
  get isAdopted(): boolean {
    return this.#isAdopted;
  }

  /** How many instances in a row died before they answered anything. */
  get idleDeaths(): number {
    return this.#idleDeaths;
  }

  /** Whether it died too often to be worth another try. */
  get isHopeless(): boolean {
    return this.#idleDeaths >= crashLoopDeaths;
  }

  begin(instance: string, { isAdopted = false } = {}): void {
    this.instance = instance;
    this.replica = undefined;
    this.#startedAt = isAdopted ? 0 : performance.now();
    this.#isAdopted = isAdopted;
  }

  /** Call when an instance has died on its own. */
  noteDeath(): void {
    this.#idleDeaths = this.#hasServed ? 0 : this.#idleDeaths + 1;
  }

  /** The back-off before the next start, after a death or a failed start. */
  nextDelayMs(): number {
    this.#quickDeaths = this.#isProven ? 0 : this.#quickDeaths + 1;
    const longest = this.#hasServed ? longestServedDelayMs : longestDelayMs;
    return Math.min(longest, firstDelayMs * 2 ** Math.max(0, this.#quickDeaths - 1));
  }

  get #isProven(): boolean {
    return performance.now() - this.#startedAt > provenMs;
  }

  get #hasServed(): boolean {
    if (this.#isAdopted || this.replica?.hasAnswered === true) return true;
    // A replica that is still loading its model has not served, however long it lives.
    return this.#isProven && (this.#isUnheard || this.replica !== undefined);
  }
}
