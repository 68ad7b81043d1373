import { z } from '../util/zod.ts';

/** An endpoint that is asked in JSON. The server checks the body by it, and the client the answer. */
export interface Call<Body extends z.ZodType = z.ZodType, Answer extends z.ZodType = z.ZodType> {
  readonly path: string;
  /** What clients generated from the OpenAPI document call it; unique. */
  readonly name: string;
  readonly summary: string;
  readonly body: Body;
  /** `text`, or the JSON that is answered. */
  readonly gives: Answer;
}

/** An endpoint that is only read. */
export type Read<Answer extends z.ZodType = z.ZodType> = Omit<Call<z.ZodType, Answer>, 'body'>;

export const defineCall = <Body extends z.ZodType, Answer extends z.ZodType>(call: Call<Body, Answer>): Call<Body, Answer> =>
  call;
export const defineRead = <Answer extends z.ZodType>(read: Read<Answer>): Read<Answer> => read;

/** An answer in plain text. */
export const text = z.string();
/** The answer when there is nothing to say, or no such thing. */
export const nothing = z.strictObject({});

/** A model's version. Clipper takes a number for one too. */
export const version = z.union([z.string(), z.number()]).transform(String);
/** The same in answers, of which some servers make a number. */
export const answeredVersion = z.coerce.string();

/** The thing that was asked for; undefined if the answer says that there is none. */
export const found = <T extends object>(answer: T | Record<string, never>): T | undefined =>
  Object.keys(answer).length === 0 ? undefined : (answer as T);
