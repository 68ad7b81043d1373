import { Dealer } from 'zeromq';

/** Little-endian bytes, written by hand. */
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const u64s = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), index * 8);
  return bytes;
};

const empty = Buffer.alloc(0);

export interface Announced {
  readonly name?: string;
  readonly version?: string;
  readonly inputType?: string;
  readonly rpcVersion?: number;
  readonly extensions?: object;
}

/** A container that speaks the wire format by hand, frame by frame. */
export class RawContainer implements Disposable {
  readonly #socket: Dealer;

  constructor(port: number) {
    this.#socket = new Dealer({ linger: 0, receiveTimeout: 10_000 });
    this.#socket.connect(`tcp://127.0.0.1:${port}`);
  }

  /** Sends frames as they are, without a delimiter of its own. */
  send(...frames: readonly Uint8Array[]): Promise<void> {
    return this.#socket.send([...frames]);
  }

  /** The next message's frames in hexadecimal. */
  async receive(): Promise<string[]> {
    return (await this.#socket.receive()).map((frame) => frame.toString('hex'));
  }

  heartbeat(): Promise<void> {
    return this.send(empty, u32(2));
  }

  announce({ name = 'm', version = '1', inputType = '3', rpcVersion = 3, extensions }: Announced = {}): Promise<void> {
    const frames = [empty, u32(0), Buffer.from(name), Buffer.from(version), Buffer.from(inputType), u32(rpcVersion)];
    return this.send(...frames, ...(extensions === undefined ? [] : [Buffer.from(JSON.stringify(extensions))]));
  }

  /** Reads a request of the server; returns the bytes of its message id. */
  async receiveRequest(): Promise<Buffer> {
    const [, , type, messageId = ''] = await this.receive();
    if (type !== '01000000') throw new Error(`Expected a request, got a message of type ${type}`);
    return Buffer.from(messageId, 'hex');
  }

  respond(messageId: Uint8Array, outputs: readonly string[]): Promise<void> {
    const header = u64s(outputs.length, ...outputs.map((output) => Buffer.byteLength(output)));
    const texts = outputs.map((output) => Buffer.from(output));
    return this.send(empty, u32(1), messageId, u64s(header.length), header, ...texts);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
