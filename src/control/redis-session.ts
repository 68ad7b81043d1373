import type { Redis } from 'ioredis';
import { ClipperError } from '../errors.ts';

/** A Redis command and its arguments. */
export type Request = readonly [command: string, ...args: string[]];

/** The reply to a request, or why Redis refused it. */
export type Reply = { readonly value: unknown } | { readonly refused: string };

/** Exclusive use of Redis by one job. */
export class RedisSession {
  readonly #client: Redis;
  readonly #address: string;
  readonly #outcome: string;

  constructor(client: Redis, address: string, outcome: string) {
    this.#client = client;
    this.#address = address;
    this.#outcome = outcome;
  }

  /** Sends requests to a database, in one round trip. Throws E_STORE_FAILED if Redis is lost or doesn't have the database. */
  async ask(db: number, requests: readonly Request[]): Promise<readonly Reply[]> {
    const results = (await this.#client.pipeline(mutable([select(db), ...requests])).exec()) ?? [];
    const replies = results.map(([error, value]) => {
      if (error === null) return { value };
      if (!isRefusal(error)) throw this.failed(error.message);
      return { refused: error.message };
    });
    const [selected, ...rest] = replies;
    if (selected !== undefined && 'refused' in selected) {
      throw this.failed(`${selected.refused}. It must have databases 0 to 8, as every Redis has that is not a Redis Cluster`);
    }
    return rest;
  }

  /** Sends one request. Throws E_STORE_FAILED, also if Redis refuses it. */
  async askOne(db: number, request: Request): Promise<unknown> {
    const [reply = { value: undefined }] = await this.ask(db, [request]);
    if ('refused' in reply) throw this.failed(reply.refused);
    return reply.value;
  }

  /** Runs a transaction. Returns false, with nothing changed, if a watched key was changed. Throws E_STORE_FAILED. */
  async transact(requests: readonly Request[]): Promise<boolean> {
    if (this.#client.status !== 'ready') throw this.failed('the connection broke');
    const results = await this.#client
      .multi(mutable(requests))
      .exec()
      .catch((error: Error) => {
        throw isRefusal(error) ? this.failed(refusals(error)) : this.#unknown(error.message);
      });
    for (const [error] of results ?? []) {
      if (error === null) continue;
      const message = `Redis at ${this.#address} made only a part of a change: ${error.message}`;
      throw new ClipperError(
        'E_STORE_FAILED',
        `${message}. A key is of a type that Clipper does not give it; delete it in Redis`,
      );
    }
    return results !== null;
  }

  failed(why: string): ClipperError {
    return new ClipperError('E_STORE_FAILED', `Redis at ${this.#address} failed: ${why}. ${this.#outcome}`);
  }

  #unknown(why: string): ClipperError {
    const message = `Redis at ${this.#address} was lost while it made a change (${why})`;
    const advice = 'Whether it was made is not known until Redis is back; look before it is asked for again';
    return new ClipperError('E_STORE_FAILED', `${message}. ${advice}`);
  }
}

/** For transactions, which may span several databases. */
export const select = (db: number): Request => ['select', String(db)];

const mutable = (requests: readonly Request[]): string[][] => requests.map((request) => [...request]);

const isRefusal = (error: Error): boolean => error.name === 'ReplyError';

/** Why a transaction was refused: Redis's error for each command. */
function refusals(error: Error & { readonly previousErrors?: readonly Error[] }): string {
  const messages = [error, ...(error.previousErrors ?? [])].map(({ message }) => message);
  return [...new Set(messages)].reverse().join('; ');
}
