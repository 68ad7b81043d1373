import { Predictions, Prediction as WirePrediction } from '../contract/queries.ts';
import { type ErrorCode, isClipperError } from '../errors.ts';
import { encodeInputBatch, inputMediaType, inputsMediaType } from '../protocol/input-batch.ts';
import type { InputType } from '../protocol/input-types.ts';
import { keyHeaders } from './api-key.ts';
import { copyInput, inputBytes } from './input-bytes.ts';
import { checkAnswer, type RestClient } from './rest-client.ts';
import { type Input, type Prediction, plainInput, prediction } from './wire.ts';

/** The options of a query, besides its inputs. */
export interface QueryOptions {
  readonly version?: string | undefined;
  readonly key?: string | undefined;
  readonly explain: boolean;
  /** Default: the connection's. */
  readonly apiKey?: string | undefined;
}

/** Finds an application's input type. Throws E_UNKNOWN_APPLICATION. */
export type FindInputType = (application: string) => Promise<InputType>;

/** A query's inputs, in both forms of a body. */
interface Inputs {
  readonly json: () => object;
  readonly mediaType: string;
  readonly bytes: (type: InputType) => Uint8Array;
}

/** Errors that may mean the application was registered again with another input type. */
const staleCodes: readonly ErrorCode[] = ['E_UNKNOWN_APPLICATION', 'E_INVALID_INPUT'];

/** Asks applications for predictions: those of our servers in raw bytes, Berkeley's in JSON. */
export class QueryClient {
  readonly #rest: RestClient;
  readonly #findType: FindInputType | undefined;
  readonly #types = new Map<string, Promise<InputType>>();

  /** Without `findType`, the server is Berkeley's. */
  constructor(rest: RestClient, findType: FindInputType | undefined) {
    this.#rest = rest;
    this.#findType = findType;
  }

  async predict(application: string, input: Input, asking: QueryOptions): Promise<Prediction> {
    const copy = copyInput(input);
    const answer = await this.#ask(application, asking, {
      json: () => ({ input: plainInput(copy) }),
      mediaType: inputMediaType,
      bytes: (type) => inputBytes(type, copy),
    });
    return prediction(checkAnswer(WirePrediction, answer, this.#rest.url));
  }

  async predictBatch(application: string, inputs: readonly Input[], asking: QueryOptions): Promise<Prediction[]> {
    const copies = inputs.map(copyInput);
    const answer = await this.#ask(application, asking, {
      json: () => ({ input_batch: copies.map(plainInput) }),
      mediaType: inputsMediaType,
      bytes: (type) => encodeInputBatch(copies.map((input) => inputBytes(type, input))),
    });
    const answers = checkAnswer(Predictions, answer, this.#rest.url);
    return 'batch_predictions' in answers ? answers.batch_predictions.map(prediction) : [prediction(answers)];
  }

  async #ask(
    application: string,
    { version, key, explain, apiKey }: QueryOptions,
    { json, mediaType, bytes }: Inputs,
  ): Promise<unknown> {
    const path = `/${encodeURIComponent(application)}/predict`;
    const headers = keyHeaders(apiKey);
    if (this.#findType === undefined) return this.#rest.post(path, { ...json(), version, key }, undefined, headers);
    const ofVersion = version === undefined ? '' : `&version=${encodeURIComponent(version)}`;
    const ofKey = key === undefined ? '' : `&key=${encodeURIComponent(key)}`;
    const wanted = `${ofVersion}${ofKey}${explain ? '&explain=1' : ''}`;
    const send = async (type: InputType): Promise<unknown> =>
      this.#rest.postBytes(`${path}?input_type=${type}${wanted}`, bytes(type), { ...headers, 'content-type': mediaType });
    const known = await this.#typeOf(application, this.#findType);
    try {
      return await send(known);
    } catch (error) {
      if (!isClipperError(error) || !staleCodes.includes(error.code)) throw error;
      this.#types.delete(application);
      const current = await this.#typeOf(application, this.#findType);
      if (current === known && error.code === 'E_INVALID_INPUT') throw error;
      return send(current);
    }
  }

  /** An application's input type, asked for once. */
  #typeOf(application: string, findType: FindInputType): Promise<InputType> {
    const known = this.#types.get(application);
    if (known !== undefined) return known;
    const asked = findType(application);
    this.#types.set(application, asked);
    asked.catch(() => this.#types.delete(application));
    return asked;
  }
}
