import { crc32 } from 'node:zlib';
import { bufferOf } from '../protocol/bytes.ts';

/** An input as a look-up key. `text` identifies a short input; for a long one, `bytes` must be compared as well. */
export interface InputKey {
  readonly text: string;
  /** Undefined for short inputs. */
  readonly bytes: Buffer | undefined;
}

/** Up to this length, using the bytes as the key is cheaper than computing a checksum and comparing them. */
const longestText = 256;

export function inputKey(input: Uint8Array): InputKey {
  const bytes = bufferOf(input);
  if (bytes.byteLength <= longestText) return { text: bytes.toString('latin1'), bytes: undefined };
  return { text: `${crc32(bytes)} ${bytes.byteLength}`, bytes };
}

/** Whether two keys with the same text are of the same input. */
export const isSameInput = (one: InputKey, other: InputKey): boolean =>
  one.bytes === undefined ? other.bytes === undefined : other.bytes?.equals(one.bytes) === true;
