import { unwatchFile, watchFile } from 'node:fs';
import type { RequestListener, Server, ServerOptions } from 'node:http';
import { createServer } from 'node:https';
import type { Log } from '../log.ts';
import { isPem, readCertificate, type TlsOptions } from '../util/pem.ts';

const standardCheckMs = 5_000;
/** The time limit of a TLS handshake. */
const handshakeMs = 15_000;

type Pair = Awaited<ReturnType<typeof readCertificate>>;

/** The certificate of the servers. When its files are renewed, they serve the new one. */
export class Certificate implements Disposable {
  readonly #options: TlsOptions;
  readonly #log: Log;
  readonly #servers: ReturnType<typeof createServer>[] = [];
  #pair: Pair;

  private constructor(options: TlsOptions, log: Log, pair: Pair) {
    this.#options = options;
    this.#log = log;
    this.#pair = pair;
  }

  /** Looks at the files every `checkMs` milliseconds. Throws E_INVALID_OPTION naming the file that is wrong. */
  static async load(options: TlsOptions, log: Log, checkMs = standardCheckMs): Promise<Certificate> {
    const certificate = new Certificate(options, log, await readCertificate(options));
    for (const file of certificate.#files) {
      watchFile(file, { interval: checkMs, persistent: false }, certificate.#reload);
    }
    return certificate;
  }

  /** A server with this certificate. */
  createServer(options: ServerOptions, onRequest: RequestListener): Server {
    const server = createServer({ ...options, ...this.#pair, handshakeTimeout: handshakeMs }, onRequest);
    this.#servers.push(server);
    return server as unknown as Server;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) unwatchFile(file, this.#reload);
  }

  get #files(): readonly string[] {
    return [this.#options.cert, this.#options.key].filter((value) => !isPem(value));
  }

  /** While only one of the two files is renewed they don't match: the old certificate stays in use. */
  #reload = async (): Promise<void> => {
    try {
      this.#pair = await readCertificate(this.#options);
      for (const server of this.#servers) server.setSecureContext(this.#pair);
      this.#log.info('the certificate was reloaded');
    } catch (error) {
      this.#log.warn({ err: error }, 'the certificate changed, but the one before stays in use');
    }
  };
}
