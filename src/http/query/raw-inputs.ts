import { isUtf8 } from 'node:buffer';
import { ClipperError } from '../../errors.ts';
import { decodeInputBatch, inputMediaType, inputsMediaType } from '../../protocol/input-batch.ts';
import { elements, type InputType, isNumeric, parseInputType } from '../../protocol/input-types.ts';
import { maxBatchInputs } from './query-endpoints.ts';

/** The URL parameters of a query with raw inputs. */
export interface RawQuery {
  readonly version?: string;
  readonly key?: string;
  /** The input type that the sender assumes: bytes of another type could look valid. */
  readonly input_type?: string;
}

export interface RawBody {
  readonly mediaType: string;
  readonly query: RawQuery;
  readonly body: Buffer;
}

/** Whether a request's content type is one of raw inputs. */
export const isRaw = (contentType: string | undefined): contentType is string =>
  [inputMediaType, inputsMediaType].includes(nameOf(contentType));

/** The inputs of a body as raw bytes, as views of it. Throws E_INVALID_INPUT saying what was expected and got. */
export function rawInputs(type: InputType, { mediaType, query, body }: RawBody): readonly Uint8Array[] {
  if (query.input_type !== undefined && parseInputType(query.input_type) !== type) {
    throw new ClipperError('E_INVALID_INPUT', `The application takes inputs of type ${type}, got ${query.input_type}`);
  }
  const inputs = nameOf(mediaType) === inputMediaType ? [body] : decodeInputBatch(body, maxBatchInputs);
  for (const input of inputs) checkInput(type, input);
  return inputs;
}

const nameOf = (contentType = ''): string => (contentType.split(';')[0] ?? '').trim().toLowerCase();

function checkInput(type: InputType, input: Uint8Array): void {
  const size = isNumeric(type) ? elements[type].BYTES_PER_ELEMENT : 1;
  if (input.byteLength % size !== 0) throw wrong(type, `a multiple of ${size} bytes`, `${input.byteLength}`);
  if (type === 'strings' && !isUtf8(input)) throw wrong(type, 'UTF-8', 'other bytes');
}

const wrong = (type: InputType, expected: string, got: string): ClipperError =>
  new ClipperError('E_INVALID_INPUT', `An input of type ${type} must be ${expected}, got ${got}`);
