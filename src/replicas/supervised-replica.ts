import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { RunningReplica } from './backend.ts';

const firstDelayMs = 100;
const longestDelayMs = 30_000;
/** One that answered before it died is worth its start. */
const longestServedDelayMs = 1_000;
/** A replica that lived this long has proved itself: the next restart is quick again. */
const provenMs = 10_000;
/** A replica that dies so often without having answered anything will not do better. */
const crashLoopDeaths = 6;

type ReplicaState =
  /** `started` settles when it runs, or could not be started. */
  | { readonly kind: 'starting'; readonly started: Promise<void> }
  | { readonly kind: 'running'; readonly running: RunningReplica }
  /** It died, and waits to be started again. */
  | { readonly kind: 'resting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'ended' };

/** A replica that is wanted, through all the instances that are started of it. */
export class SupervisedReplica {
  instance = '';
  state: ReplicaState = { kind: 'ended' };
  /** The connection of the instance; undefined until it connects. */
  replica: RpcReplica | undefined;
  isStopping = false;
  readonly #isUnheard: boolean;
  #startedAt = 0;
  #isAdopted = false;
  #quickDeaths = 0;
  #idleDeaths = 0;

  /** `isUnheard`: nobody tells when it connects. */
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

  /** Whether its instance served under an earlier server. */
  get isAdopted(): boolean {
    return this.#isAdopted;
  }

  /** How many instances in a row died before they had answered anything. */
  get idleDeaths(): number {
    return this.#idleDeaths;
  }

  /** Whether that were too many for another to be worth a try. */
  get isHopeless(): boolean {
    return this.#idleDeaths >= crashLoopDeaths;
  }

  /** Begins a new instance. */
  begin(instance: string, { isAdopted = false } = {}): void {
    this.instance = instance;
    this.replica = undefined;
    this.#startedAt = isAdopted ? 0 : performance.now();
    this.#isAdopted = isAdopted;
  }

  /** Call when an instance has died of itself. */
  noteDeath(): void {
    this.#idleDeaths = this.#hasServed ? 0 : this.#idleDeaths + 1;
  }

  /** How long to wait before the next start, after a death or a failed start: longer each time. */
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
    // A replica that takes long to load its model has not served, however long it lives.
    return this.#isProven && (this.#isUnheard || this.replica !== undefined);
  }
}
