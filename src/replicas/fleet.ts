import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { asClipperError, ClipperError, isClipperError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RpcReplica } from '../rpc/rpc-replica.ts';
import type { InstanceBackend, ReplicaExit, ReplicaSpec, RunningReplica } from './backend.ts';
import type { CrashLoop } from './crash-loop.ts';
import type { ReplicaFleet } from './fleet-backend.ts';
import type { FleetEvents } from './fleet-events.ts';
import { Instances } from './instances.ts';
import { SupervisedReplica } from './supervised-replica.ts';

export interface FleetParts {
  readonly backend: InstanceBackend;
  readonly log: Log;
  readonly events: FleetEvents;
  /** Set if replicas connect to a server elsewhere, so that `announced` is never called. */
  readonly isUnheard?: boolean;
}

/** Processes that boot side by side mostly wait for each other. */
const startedAtOnce = 8;
const crashLogLines = 20;
/** How long a replica that is being stopped may work on its queue. */
const drainMs = 10_000;
/** Between retries while the backend is away, which doesn't count against the replica. */
const awayDelayMs = 1_000;
/** The longest delay between failed starts. They cost less than a replica that starts and dies. */
const longestRetryMs = 4_000;
/** A replica reconnects within a second, or after the 30 s without a heartbeat that it takes to give up its connection. */
const announceMs = 40_000;

/** Keeps the wanted number of replicas of one model version running, and restarts those that die with back-off. */
export class Fleet implements ReplicaFleet {
  readonly spec: ReplicaSpec;
  readonly #backend: InstanceBackend;
  readonly #log: Log;
  readonly #events: FleetEvents;
  readonly #isUnheard: boolean;
  readonly #members: SupervisedReplica[] = [];
  readonly #instances = new Instances();
  #nextNumber = 0;
  #isBackendAway = false;
  #crashLoop: CrashLoop | undefined;
  #whyNotStarted: string | undefined;

  constructor(spec: ReplicaSpec, { backend, log, events, isUnheard = false }: FleetParts) {
    this.spec = spec;
    this.#isUnheard = isUnheard;
    this.#backend = backend;
    this.#log = log;
    this.#events = events;
  }

  get wanted(): number {
    return this.#members.length;
  }

  /** Its replicas that take queries. */
  get connected(): readonly RpcReplica[] {
    return this.#members.filter(({ isConnected }) => isConnected).flatMap(({ replica = [] }) => replica);
  }

  /** Every running instance and the last that ended, oldest first. */
  get instances(): readonly string[] {
    return this.#instances.all;
  }

  /** How an instance ended; undefined if it has not. */
  exitOf(instance: string): ReplicaExit | undefined {
    return this.#instances.exitOf(instance);
  }

  get running(): readonly RunningReplica[] {
    return this.#members.flatMap(({ running }) => (running === undefined ? [] : [running]));
  }

  /** Why replicas are no longer started; undefined once the fleet is scaled again. */
  get crashLoop(): CrashLoop | undefined {
    return this.#crashLoop;
  }

  /** Why the last start failed; undefined if it did not. */
  get whyNotStarted(): string | undefined {
    return this.#whyNotStarted;
  }

  /** Call when one of its replicas connects. */
  announced(replica: RpcReplica): void {
    // A container that sends no instance name counts as the first replica that is yet to connect.
    const isIt = (member: SupervisedReplica): boolean =>
      replica.instance === undefined ? member.running !== undefined && !member.isConnected : member.instance === replica.instance;
    const member = this.#members.find(isIt);
    if (member !== undefined) member.replica = replica;
  }

  /** Takes over replicas that are already running. */
  adopt(replicas: readonly RunningReplica[]): void {
    const numberOf = ({ instance }: RunningReplica): number => Number(/-(\d+)-[0-9a-f]+$/.exec(instance)?.[1] ?? 0);
    for (const running of [...replicas].sort((a, b) => numberOf(a) - numberOf(b))) {
      const member = this.#add();
      member.begin(running.instance, { isAdopted: true });
      this.#instances.add(running.instance);
      this.#nextNumber = numberOf(running) + 1;
      this.#watch(member, running);
      globalThis.setTimeout(() => void this.#replaceMute(member), announceMs).unref();
    }
  }

  /** Starts or stops replicas until there are this many; the newest are stopped first. */
  async scale(wanted: number): Promise<void> {
    this.#crashLoop = undefined;
    const stopping = this.#members.splice(wanted).map((member) => this.#stop(member));
    const added = Array.from({ length: Math.max(0, wanted - this.#members.length) }, () => this.#add());
    for (let next = added.splice(0, startedAtOnce); next.length > 0; next = added.splice(0, startedAtOnce)) {
      const started = await Promise.allSettled(next.map((member) => (member.isStopping ? undefined : this.#startNew(member))));
      const failed = started.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
      if (failed === undefined) continue;
      // Drop the rest of the batch too: their starts would fail the same way.
      for (const member of added) this.#remove(member);
      throw failed.reason;
    }
    await Promise.all(stopping);
  }

  /** Ends a replica that no longer answers. It is restarted as if it had died. */
  async replace(instance: string): Promise<void> {
    const member = this.#members.find((each) => each.instance === instance);
    await member?.running?.stop({ graceMs: 0 });
  }

  #add(): SupervisedReplica {
    const member = new SupervisedReplica({ isUnheard: this.#isUnheard });
    this.#members.push(member);
    return member;
  }

  #remove(member: SupervisedReplica): void {
    const index = this.#members.indexOf(member);
    if (index !== -1) this.#members.splice(index, 1);
  }

  /** A replica that can't be started is dropped, and the caller gets the error. */
  async #startNew(member: SupervisedReplica): Promise<void> {
    try {
      await this.#start(member);
    } catch (error) {
      this.#remove(member);
      const { code, summary, fix } = asClipperError(error, 'E_REPLICA_EXITED');
      const failure = `Replica ${member.instance} could not be started: ${summary}`;
      const wrapped = new ClipperError(code, failure, { fix, cause: error });
      this.#whyNotStarted = wrapped.message;
      throw wrapped;
    }
  }

  #start(member: SupervisedReplica): Promise<void> {
    const started = this.#run(member);
    member.state = { kind: 'starting', started };
    return started;
  }

  async #run(member: SupervisedReplica): Promise<void> {
    const { modelName, modelVersion } = this.spec;
    member.begin(`${modelName}-${modelVersion}-${this.#nextNumber++}-${randomUUID().slice(0, 8)}`);
    this.#instances.add(member.instance);
    const running = await this.#backend.start(this.spec, member.instance).catch((error: unknown) => {
      this.#instances.forget(member.instance);
      throw error;
    });
    this.#whyNotStarted = undefined;
    this.#watch(member, running);
  }

  #watch(member: SupervisedReplica, running: RunningReplica): void {
    member.state = { kind: 'running', running };
    void running.exited.then((exit) => this.#ended(member, exit));
  }

  /**
   * Replaces an adopted replica that never connected. Not the user's own images: which container connected may be unknown.
   */
  async #replaceMute({ instance, isAdopted, replica }: SupervisedReplica): Promise<void> {
    const { source } = this.spec;
    if (isAdopted && replica === undefined && source.kind === 'image' && source.isOurs === true) await this.replace(instance);
  }

  #ended(member: SupervisedReplica, exit: ReplicaExit): void {
    const { instance } = member;
    member.state = { kind: 'ended' };
    const forgotten = this.#instances.ended(instance, exit);
    if (forgotten !== undefined) void this.#backend.forget(forgotten).catch(() => {});
    this.#events.onEnded({ spec: this.spec, instance, how: exit.how, isIntended: member.isStopping });
    if (member.isStopping) return;
    member.noteDeath();
    if (member.isHopeless) return void this.#giveUp(member, exit);
    this.#log.warn({ instance, exit: exit.how }, 'a replica ended and will be started again');
    this.#restartAfter(member, member.nextDelayMs());
  }

  /** Drops the replicas that aren't running. */
  async #giveUp({ instance, idleDeaths }: SupervisedReplica, { how }: ReplicaExit): Promise<void> {
    for (const member of this.#members.filter(({ running }) => running === undefined)) {
      this.#remove(member);
      // It may be starting.
      this.#stop(member).catch((error: unknown) => this.#log.warn({ err: error }, 'a replica could not be stopped'));
    }
    const loop = { at: new Date(), deaths: idleDeaths, how };
    const begun: CrashLoop = { ...loop, log: [] };
    this.#crashLoop = begun;
    const log = await this.#backend.logs(instance, { tailLines: crashLogLines }).catch((error: unknown) => [messageOf(error)]);
    // The fleet may have been scaled again in the meantime.
    if (this.#crashLoop === begun) this.#crashLoop = { ...loop, log };
    this.#events.onGaveUp(this.spec, { ...loop, log });
  }

  #restartAfter(member: SupervisedReplica, delayMs: number): void {
    // Jitter: replicas that died together should not start together.
    const timer = globalThis.setTimeout(() => void this.#restart(member), delayMs * (0.75 + Math.random() / 2));
    member.state = { kind: 'resting', timer };
  }

  async #restart(member: SupervisedReplica): Promise<void> {
    try {
      await this.#start(member);
      this.#isBackendAway = false;
    } catch (error) {
      const isAway = isClipperError(error) && error.retryable;
      if (!isAway || !this.#isBackendAway) {
        this.#log.error({ err: error, instance: member.instance }, 'a replica could not be started');
      }
      this.#isBackendAway = isAway;
      if (!member.isStopping) this.#restartAfter(member, isAway ? awayDelayMs : Math.min(member.nextDelayMs(), longestRetryMs));
    }
  }

  async #stop(member: SupervisedReplica): Promise<void> {
    member.isStopping = true;
    if (member.state.kind === 'resting') clearTimeout(member.state.timer);
    await Promise.race([this.#events.onStopping(member.instance), setTimeout(drainMs, undefined, { ref: false })]);
    // A starting replica can't be stopped before it runs.
    if (member.state.kind === 'starting') await member.state.started.catch(() => {});
    await member.running?.stop();
  }
}
