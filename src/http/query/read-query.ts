import { inputBytes } from '../../contract/json-input.ts';
import type { Application } from '../../control/state-store.ts';
import { ClipperError } from '../../errors.ts';
import { printShort } from '../../util/print.ts';
import { maxBatchInputs } from './query-endpoints.ts';
import { isRaw, type RawQuery, rawInputs } from './raw-inputs.ts';
import { parseObject } from './request-body.ts';

/** A request for predictions as received. */
export interface QueryRequest {
  readonly mediaType: string | undefined;
  readonly query: RawQuery;
  readonly body: Buffer;
}

/** A query to an application. */
export interface AskedInputs {
  readonly inputs: readonly Uint8Array[];
  /** Undefined: the current one. */
  readonly version: string | undefined;
  /** Queries with the same key go to the same version, if traffic is split. */
  readonly key?: string | undefined;
}

/** Reads Clipper's JSON, or raw inputs if the content type says so. Throws E_INVALID_INPUT, E_MALFORMED_JSON. */
export function readQuery({ inputType }: Application, { mediaType, query, body }: QueryRequest): AskedInputs {
  if (isRaw(mediaType))
    return { inputs: rawInputs(inputType, { mediaType, query, body }), version: query.version, key: query.key };
  const { input, input_batch: batch, version, key } = parseObject(body);
  if (version !== undefined && typeof version !== 'string' && typeof version !== 'number') {
    throw new ClipperError('E_INVALID_INPUT', `"version" must be a string or a number, got ${printShort(version)}`);
  }
  if (key !== undefined && typeof key !== 'string') {
    throw new ClipperError('E_INVALID_INPUT', `"key" must be a string, got ${printShort(key)}`);
  }
  const wanted = version === undefined ? undefined : String(version);
  if (input !== undefined) return { inputs: [inputBytes(inputType, input)], version: wanted, key };
  if (Array.isArray(batch) && batch.length > maxBatchInputs) {
    const message = `An "input_batch" may hold ${maxBatchInputs} inputs at most, got ${batch.length}: send several`;
    throw new ClipperError('E_INVALID_INPUT', message);
  }
  if (Array.isArray(batch)) return { inputs: batch.map((each) => inputBytes(inputType, each)), version: wanted, key };
  const got = batch === undefined ? 'neither' : `"input_batch": ${printShort(batch)}`;
  throw new ClipperError('E_INVALID_INPUT', `Expected "input", or "input_batch" with an array of inputs, got ${got}`);
}
