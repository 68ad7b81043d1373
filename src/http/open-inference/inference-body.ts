import { ClipperError } from '../../errors.ts';
import type { Answer } from '../../serving/query.ts';
import { explainIssues, parseObject } from '../query/request-body.ts';
import type { TensorData } from './tensor-inputs.ts';
import { encodeTensor, outputTensor } from './tensor-outputs.ts';
import { InferenceRequest, type InferenceResponse, type InputTensor } from './tensor-schemas.ts';

/** How many bytes of a body are JSON; binary data of its tensors is behind them. */
export const headerLengthHeader = 'inference-header-content-length';

export interface Inference {
  readonly id: string | undefined;
  readonly tensor: InputTensor;
  readonly data: TensorData;
  /** Whether the output is wanted as binary data. */
  readonly isBinary: boolean;
}

/** Reads a request to infer. Throws E_MALFORMED_JSON, or E_INVALID_INPUT if it violates the protocol. */
export function readInference(body: unknown, headerLength: string | undefined): Inference {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  const length = headerLength === undefined ? bytes.length : Number(headerLength);
  if (!(length >= 0 && length <= bytes.length)) {
    const message = `Inference-Header-Content-Length must be of 0 to ${bytes.length} bytes, the body's length, got ${headerLength}`;
    throw new ClipperError('E_INVALID_INPUT', message);
  }
  const checked = InferenceRequest.safeParse(parseObject(bytes.subarray(0, length)));
  if (!checked.success) throw new ClipperError('E_INVALID_INPUT', `The request is wrong: ${explainIssues(checked.error)}`);
  const { id, inputs, outputs, parameters } = checked.data;
  const [tensor] = inputs as [InputTensor];
  const isBinary = outputs?.[0]?.parameters?.binary_data ?? parameters?.binary_data_output ?? false;
  return { id, tensor, data: tensorData(tensor, bytes.subarray(length)), isBinary };
}

function tensorData({ parameters, data }: InputTensor, behind: Uint8Array): TensorData {
  const size = parameters?.binary_data_size;
  if (size !== undefined && data === undefined) {
    if (size === behind.byteLength) return behind;
    const message = `"binary_data_size" is ${size}, but ${behind.byteLength} bytes are behind the JSON`;
    throw new ClipperError('E_INVALID_INPUT', `${message}, whose length Inference-Header-Content-Length must give`);
  }
  if (size === undefined && Array.isArray(data) && behind.byteLength === 0) return data;
  throw new ClipperError('E_INVALID_INPUT', 'Expected either an array as "data", or "binary_data_size" and that many bytes');
}

/** The request, as far as its answer depends on it. */
interface InferenceQuery {
  readonly model: string;
  readonly version: string | undefined;
  readonly inference: Inference;
}

/** An answer's JSON, and the binary data behind it, if asked for. */
export function printInference(
  answers: readonly Answer[],
  { model, version, inference }: InferenceQuery,
): readonly [Buffer, Uint8Array?] {
  const output = outputTensor(answers);
  const { datatype, shape } = output;
  const binary = inference.isBinary ? encodeTensor(output) : undefined;
  const data = binary === undefined ? { data: output.data } : { parameters: { binary_data_size: binary.byteLength } };
  const response = {
    model_name: model,
    model_version: version,
    id: inference.id,
    parameters: describeAnswers(answers),
    outputs: [{ name: 'output', datatype, shape, ...data }],
  };
  const json = Buffer.from(JSON.stringify(response));
  return binary === undefined ? [json] : [json, binary];
}

function describeAnswers(answers: readonly Answer[]): InferenceResponse['parameters'] {
  const perInput = <T>(of: (answer: Answer) => T): T | T[] => {
    const [first] = answers;
    return first !== undefined && answers.length === 1 ? of(first) : answers.map(of);
  };
  const said = {
    query_id: perInput(({ queryId }) => queryId),
    default: perInput(({ fallback }) => fallback !== undefined),
  };
  if (answers.every(({ fallback }) => fallback === undefined)) return said;
  return {
    ...said,
    default_reason: perInput(({ fallback }) => fallback?.reason ?? null),
    default_explanation: perInput(({ fallback }) => fallback?.explanation ?? null),
  };
}
