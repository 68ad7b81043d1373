import { crc32 } from 'node:zlib';
import { bufferOf } from '../protocol/bytes.ts';

/** An input as it is looked up: inputs with the same key text are the same only if their bytes are, where there are any. */
export interface InputKey {
  readonly text: string;
  /** Of inputs that are too long for their bytes to be the text. */
  readonly bytes: Buffer | undefined;
}

/** Up to here it costs less to look up the bytes themselves than to compute their checksum and compare them. */
const longestText = 256;

export function inputKey(input: Uint8Array): InputKey {
  const bytes = bufferOf(input);
  if (bytes.byteLength <= longestText) return { text: bytes.toString('latin1'), bytes: undefined };
  return { text: `${crc32(bytes)} ${bytes.byteLength}`, bytes };
}

/** Whether two keys of the same text are of the same input. */
export const isSameInput = (one: InputKey, other: InputKey): boolean =>
  one.bytes === undefined ? other.bytes === undefined : other.bytes?.equals(one.bytes) === true;
