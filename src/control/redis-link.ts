import { once } from 'node:events';
import { Redis } from 'ioredis';
import { ClipperError } from '../errors.ts';
import type { Log } from '../log.ts';
import { RedisSession, type Reply, type Request } from './redis-session.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';

/** How long a job waits for a connection, and then for each reply. */
const patienceMs = 5_000;
const heartbeatMs = 10_000;
const longestBackOffMs = 2_000;
const farewellMs = 1_000;

type ConnectOptions = Omit<RedisAddress, 'isEncrypted'> & { readonly tls?: object; readonly connectionName: string };

export interface RedisLinkOptions {
  readonly url: string;
  /** Our name in Redis's list of clients. */
  readonly name: string;
  readonly log: Log;
  /** Called when Redis becomes available, for the first time or again. Changes in between went unnoticed. */
  readonly onUp: () => void;
  /** Called when a key in a followed database has changed. */
  readonly onKey: (db: number, key: string) => void;
}

/**
 * The connections to a Redis: one runs jobs, one at a time, since they select databases and watch keys; the other receives
 * change notifications. Both reconnect by themselves, with a back-off of up to 2 s.
 */
export class RedisLink {
  /** `host:port`. */
  readonly address: string;
  readonly #options: RedisLinkOptions;
  readonly #commands: Redis;
  readonly #events: Redis;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #isUp = false;
  #wasUp = false;
  /** The last error. */
  #why = 'no answer';

  constructor(options: RedisLinkOptions) {
    const { host, port, username, password, isEncrypted } = parseRedisUrl(options.url);
    this.#options = options;
    this.address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const where = { host, port, username, password, ...(isEncrypted ? { tls: {} } : {}) };
    this.#commands = this.#connect({ ...where, connectionName: options.name });
    this.#events = this.#connect({ ...where, connectionName: `${options.name}:events` });
    this.#events.on('pmessage', (_pattern, channel: string) => {
      const [, db, key] = /^__keyspace@(\d+)__:(.*)$/s.exec(channel) ?? [];
      if (key !== undefined) options.onKey(Number(db), key);
    });
    this.#heartbeat = setInterval(() => this.#ping(), heartbeatMs);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Runs a job after those before it, with exclusive use of the connection. Throws E_STORE_FAILED if Redis is unavailable;
   * `outcome` ends its message and says what that means to the caller.
   */
  run<T>(job: (session: RedisSession) => Promise<T>, outcome = 'Nothing was changed'): Promise<T> {
    const endsAt = performance.now() + patienceMs;
    const done = this.#turn.then(async () => {
      await this.#untilReady(endsAt, outcome);
      return job(new RedisSession(this.#commands, this.address, outcome));
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Subscribes to changes of keys, until the connection is lost. */
  async follow(session: RedisSession, dbs: readonly number[]): Promise<Reply> {
    const [configured = { value: undefined }] = await session.ask(0, [notify]);
    // The error comes from the events connection, and may hold what that one sent.
    await this.#events.psubscribe(...dbs.map((db) => `__keyspace@${db}__:*`)).catch((error: Error) => {
      throw session.failed(error.message);
    });
    return configured;
  }

  /** Waits up to a second for running jobs. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#closing.abort();
    if (this.#isUp) await Promise.race([this.#turn, new Promise((resolve) => setTimeout(resolve, farewellMs).unref())]);
    const clients = [this.#commands, this.#events];
    // A client that waits to reconnect has no socket, and emits no `end`.
    const open = clients.filter(({ status }) => status !== 'end' && status !== 'reconnecting');
    const ended = open.map((client) => new Promise((resolve) => client.once('end', resolve)));
    for (const client of clients) client.disconnect();
    await Promise.all(ended);
  }

  #connect(options: ConnectOptions): Redis {
    const client = new Redis({
      ...options,
      // No automatic retries: only the caller knows whether a job may run twice, and a sent command may have taken effect.
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: patienceMs,
      socketTimeout: patienceMs,
      disconnectTimeout: farewellMs / 2,
      // A Redis that became a read-only replica: the address points to its successor, now or soon.
      reconnectOnError: ({ message }) => message.startsWith('READONLY'),
      retryStrategy: (tries) => Math.min(longestBackOffMs, 25 * 2 ** tries),
    });
    client.on('error', ({ message, code = this.#why }: NodeJS.ErrnoException) => {
      // The error of several failed addresses has only a code.
      this.#why = (message || code).replaceAll(options.password || '\0', '***');
    });
    client.on('ready', () => this.#look()).on('close', () => this.#look());
    return client;
  }

  /** Detects that Redis went away or is back. */
  #look(): void {
    const isUp = this.#commands.status === 'ready' && this.#events.status === 'ready';
    if (isUp === this.#isUp || this.#closing.signal.aborted) return;
    this.#isUp = isUp;
    const { log, onUp } = this.#options;
    const redis = this.address;
    if (!isUp) log.warn({ redis }, 'Redis is away: what is known goes on being served, and changes wait for it');
    else if (this.#wasUp) log.info({ redis }, 'Redis is back');
    this.#wasUp = true;
    if (isUp) onUp();
  }

  /** A connection that broke silently is noticed only when something is sent. */
  #ping(): void {
    for (const client of [this.#commands, this.#events]) if (client.status === 'ready') client.ping().catch(() => {});
  }

  async #untilReady(endsAt: number, outcome: string): Promise<void> {
    while (this.#commands.status !== 'ready') {
      const leftMs = Math.ceil(endsAt - performance.now());
      if (leftMs <= 0 || this.#closing.signal.aborted) {
        const isLate = leftMs <= 0;
        const why = isLate
          ? `did not answer within ${patienceMs / 1_000} s: ${this.#why}`
          : 'was not waited for: the server ends';
        throw new ClipperError('E_STORE_FAILED', `Redis at ${this.address} ${why}. ${outcome}`);
      }
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(leftMs)]);
      // The error of one attempt; others follow.
      await once(this.#commands, 'ready', { signal }).catch(() => {});
    }
  }
}

/** Redis sends no notifications of key changes by default. Uses Clipper's own setting. */
const notify: Request = ['config', 'set', 'notify-keyspace-events', 'AKE'];
