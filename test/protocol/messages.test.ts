import * as fc from 'fast-check';
import { isClipperError } from '../../src/errors.ts';
import type { OutputForm } from '../../src/protocol/content.ts';
import { inputTypes } from '../../src/protocol/input-types.ts';
import {
  type ContainerMessage,
  decodeContainerMessage,
  decodeServerMessage,
  encodeContainerMessage,
  encodeServerMessage,
  readRemoteError,
  type ServerMessage,
} from '../../src/protocol/messages.ts';

const u32 = fc.nat(0xffffffff);
const text = fc.string({ unit: 'grapheme' });
const bytes = fc.uint8Array({ maxLength: 40 });
const inputType = fc.constantFrom(...inputTypes);
const form = fc.constantFrom('clipper' as const, 'statuses' as const, 'packed' as const);

const extensions = fc.record(
  { errors: fc.boolean(), packed: fc.constant(true), feedback: fc.constant(true), instance: text },
  { requiredKeys: ['errors'] },
);
const announcement = {
  kind: fc.constant('newContainer' as const),
  modelName: text,
  modelVersion: text,
  inputType,
  rpcVersion: u32,
};
const containerMessage: fc.Arbitrary<ContainerMessage> = fc.oneof(
  fc.constant({ kind: 'heartbeat' as const }),
  fc.record(announcement),
  fc.record({ ...announcement, extensions }),
  fc.record({
    kind: fc.constant('response' as const),
    messageId: u32,
    outputs: fc.array(fc.record({ text, failed: fc.boolean() })),
    computeMicros: u32,
  }),
);
const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc.record({ kind: fc.constant('heartbeat' as const), requestMetadata: fc.boolean() }),
  fc.record({
    kind: fc.constant('request' as const),
    messageId: u32,
    request: fc.constantFrom('predict' as const, 'feedback' as const),
    inputType,
    inputs: fc.array(bytes),
  }),
);

/** What a form carries of a message. */
function carried(message: ContainerMessage, form: OutputForm): ContainerMessage {
  if (message.kind !== 'response' || form === 'packed') return message;
  const { computeMicros: _, outputs, ...rest } = message;
  return { ...rest, outputs: form === 'statuses' ? outputs : outputs.map(({ text }) => ({ text, failed: false })) };
}

/** Inputs that are views of one buffer, as arrays of their own. */
const plain = (message: ServerMessage): ServerMessage =>
  message.kind === 'request' ? { ...message, inputs: message.inputs.map((input) => Uint8Array.from(input)) } : message;

const hex = (frames: readonly Uint8Array[]): string[] => frames.map((frame) => Buffer.from(frame).toString('hex'));

/** Decodes frames that may be nonsense: nothing but E_PROTOCOL may come out of it. */
function expectTamed(decode: (frames: readonly Uint8Array[]) => unknown, frames: readonly Uint8Array[]): void {
  try {
    decode(frames);
  } catch (error) {
    expect(isClipperError(error) ? error.code : error).toBe('E_PROTOCOL');
  }
}

describe('messages of a replica', () => {
  test('decode undoes encode', () => {
    fc.assert(
      fc.property(containerMessage, form, (message, how) => {
        expect(decodeContainerMessage(encodeContainerMessage(message, how))).toEqual(carried(message, how));
      }),
    );
  });

  test.each([
    ['a heartbeat', { kind: 'heartbeat' }, ['', '02000000']],
    [
      'a new container',
      { kind: 'newContainer', modelName: 'iris', modelVersion: '2', inputType: 'doubles', rpcVersion: 3 },
      ['', '00000000', '69726973', '32', '33', '03000000'],
    ],
    [
      'a response of two outputs',
      {
        kind: 'response',
        messageId: 0x01020304,
        outputs: [
          { text: 'a', failed: false },
          { text: 'é', failed: true },
        ],
      },
      ['', '01000000', '04030201', '1800000000000000', '020000000000000001000000000000000200000000000000', '61', 'c3a9'],
    ],
  ] as [string, ContainerMessage, string[]][])('%s has exactly the frames of RPC version 3', (_name, message, frames) => {
    expect(hex(encodeContainerMessage(message))).toEqual(frames);
  });

  test('only with the errors extension has a response one status per output', () => {
    const outputs = [
      { text: 'a', failed: false },
      { text: 'b', failed: true },
    ];
    const [, , , headerBytes, header] = hex(encodeContainerMessage({ kind: 'response', messageId: 7, outputs }, 'statuses'));
    expect(headerBytes).toBe('2800000000000000');
    expect(header).toBe(['02', '01', '01', '00', '01'].map((low) => low.padEnd(16, '0')).join(''));
  });

  test('packed outputs are one frame, and the header ends with the time that they took', () => {
    const outputs = [
      { text: 'a', failed: false },
      { text: 'é', failed: true },
    ];
    const frames = hex(encodeContainerMessage({ kind: 'response', messageId: 7, outputs, computeMicros: 12 }, 'packed'));
    const header = ['02', '01', '02', '00', '01', '0c'].map((low) => low.padEnd(16, '0')).join('');
    expect(frames.slice(3)).toEqual(['3000000000000000', header, '61c3a9']);
  });

  test('packed outputs stay apart where one ends and the next begins with half a character', () => {
    const outputs = ['a\ud83d', '\ude00b'].map((text) => ({ text, failed: false }));
    const frames = encodeContainerMessage({ kind: 'response', messageId: 7, outputs, computeMicros: 1 }, 'packed');
    const texts = ['a\ufffd', '\ufffdb'];
    expect(decodeContainerMessage(frames)).toMatchObject({ outputs: texts.map((text) => ({ text, failed: false })) });
  });

  test('extensions are one further frame of JSON', () => {
    const base = { kind: 'newContainer', modelName: 'm', modelVersion: '1', inputType: 'bytes', rpcVersion: 3 } as const;
    const frames = encodeContainerMessage({ ...base, extensions: { errors: true, instance: 'm-1-0' } });
    expect(frames).toHaveLength(7);
    expect(JSON.parse(Buffer.from(frames[6] ?? []).toString())).toEqual({ errors: true, instance: 'm-1-0' });
  });
});

describe('messages of the server', () => {
  test('decode undoes encode', () => {
    fc.assert(
      fc.property(serverMessage, fc.boolean(), (message, isPacked) => {
        expect(plain(decodeServerMessage(encodeServerMessage(message, isPacked)))).toEqual(message);
      }),
    );
  });

  test.each([
    ['a keep-alive', { kind: 'heartbeat', requestMetadata: false }, ['', '03000000', '02000000', '00000000']],
    ['a request for metadata', { kind: 'heartbeat', requestMetadata: true }, ['', '03000000', '02000000', '01000000']],
    [
      'a prediction request',
      {
        kind: 'request',
        messageId: 258,
        request: 'predict',
        inputType: 'integers',
        inputs: [Uint8Array.of(1, 0, 0, 0), Uint8Array.of()],
      },
      [
        '',
        '03000000',
        '01000000',
        '02010000',
        '00000000',
        '2000000000000000',
        '0100000000000000020000000000000004000000000000000000000000000000',
        '01000000',
        '',
      ],
    ],
  ] as [string, ServerMessage, string[]][])('%s has exactly the frames of RPC version 3', (_name, message, frames) => {
    expect(hex(encodeServerMessage(message))).toEqual(frames);
  });

  test('another RPC version is refused naming both', () => {
    const [delimiter, , ...rest] = encodeServerMessage({ kind: 'heartbeat', requestMetadata: true });
    const frames = [delimiter as Uint8Array, Uint8Array.of(4, 0, 0, 0), ...rest];
    expect(() => decodeServerMessage(frames)).toThrow('The server speaks RPC version 4, this container speaks 3');
  });
});

describe('nonsense', () => {
  const frame = fc.oneof(
    bytes,
    fc.constant(Uint8Array.of()),
    fc.nat(3).map((low) => Uint8Array.of(low, 0, 0, 0)),
  );
  const nonsense = fc.array(frame, { maxLength: 9 });

  test.each([
    ['the server', decodeContainerMessage],
    ['a replica', decodeServerMessage],
  ])('random frames give %s E_PROTOCOL and no other error', (_who, decode) => {
    fc.assert(
      fc.property(nonsense, (frames) => expectTamed(decode, frames)),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(nonsense, (frames) => expectTamed(decode, [new Uint8Array(0), ...frames])),
      { numRuns: 2_000 },
    );
  });

  test('so do messages that are cut off, between frames or inside one', () => {
    const cut = <T>(encode: (message: T) => Uint8Array[], decode: (frames: readonly Uint8Array[]) => unknown) => {
      return (message: T, share: number): void => {
        const frames = encode(message);
        const at = Math.floor(share * frames.length);
        const partial = (frames[at] ?? new Uint8Array(0)).subarray(0, -1);
        expectTamed(decode, frames.slice(0, at));
        expectTamed(decode, [...frames.slice(0, at), partial, ...frames.slice(at + 1)]);
      };
    };
    const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    for (const how of ['statuses', 'packed'] as const) {
      const encode = (message: ContainerMessage): Uint8Array[] => encodeContainerMessage(message, how);
      const encodeForReplica = (message: ServerMessage): Uint8Array[] => encodeServerMessage(message, how === 'packed');
      fc.assert(fc.property(containerMessage, share, cut(encode, decodeContainerMessage)));
      fc.assert(fc.property(serverMessage, share, cut(encodeForReplica, decodeServerMessage)));
    }
  });

  test('a response whose header disagrees with its frames is refused', () => {
    const frames = encodeContainerMessage({ kind: 'response', messageId: 1, outputs: [{ text: 'ab', failed: false }] });
    const shorter = frames.with(5, Uint8Array.of(97));
    expect(() => decodeContainerMessage(shorter)).toThrow('Expected 1 as the output size, got 2');
    expect(() => decodeContainerMessage(frames.slice(0, 5))).toThrow('output count');
  });

  test('the text of a failed output that is no JSON stands as its message', () => {
    expect(readRemoteError('broken')).toEqual({ name: 'Error', message: 'broken' });
    expect(readRemoteError('null')).toEqual({ name: 'Error', message: 'null' });
    expect(readRemoteError('{"name":"RangeError","message":"far"}')).toEqual({ name: 'RangeError', message: 'far' });
  });
});
