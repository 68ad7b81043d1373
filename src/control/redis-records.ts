import { camelKeys, snakeCase, snakeKeys } from '../contract/case.ts';
import { type ServingSettings, servingDefaults, servingNames, wireServingShape } from '../contract/serving.ts';
import { ClipperError } from '../errors.ts';
import { type InputType, parseInputType } from '../protocol/input-types.ts';
import type { Application, ModelVersion } from './state-store.ts';

/** A Redis hash. */
export type Fields = Readonly<Record<string, string>>;

/** How a property is stored in a field of a hash. */
interface Field<T> {
  readonly field: string;
  write(value: T): string;
  read(text: string): T;
  /** The value of a missing field; undefined leaves the property out. Without `missing`, the field is required. */
  readonly missing?: { readonly value: T | undefined };
}

type FieldsOf<T> = { readonly [Key in keyof T]-?: Field<NonNullable<T[Key]>> };

const optional = { missing: { value: undefined } } as const;
const itself = (text: string): string => text;
const text = (field: string): Field<string> => ({ field, write: itself, read: itself });
const list = (field: string): Field<readonly string[]> => ({
  field,
  write: (values) => values.join(','),
  read: (values) => (values === '' ? [] : values.split(',')),
});
const json = <T>(field: string, isOne: (value: unknown) => boolean): Field<T> => ({
  field,
  write: (value) => JSON.stringify(value),
  read: (written) => checked(field, written, JSON.parse(written), isOne),
});
const integer = (field: string, least: number): Field<number> =>
  json(field, (value) => Number.isSafeInteger(value) && (value as number) >= least);
const flag = (field: string): Field<boolean> => json(field, (value) => typeof value === 'boolean');
const inputType: Field<InputType> = { field: 'input_type', write: itself, read: parseInputType };

/**
 * A serving setting, with the name and JSON it has in the management REST. Of these, Clipper's own servers write only the
 * batch size.
 */
const setting = <Name extends keyof ServingSettings>(name: Name): Field<ServingSettings[Name]> => {
  const field = snakeCase(name);
  return {
    field,
    write: (value) => JSON.stringify(snakeKeys({ value }).value),
    read: (written) => {
      const { data, success } = wireServingShape[field].safeParse(JSON.parse(written));
      if (!success) throw new ClipperError('E_INVALID_OPTION', `its ${field} is ${written.slice(0, 80)}`);
      return camelKeys({ data }).data as ServingSettings[Name];
    },
    missing: { value: servingDefaults[name] },
  };
};
const settings = Object.fromEntries(servingNames.map((name) => [name, setting(name)])) as unknown as FieldsOf<ServingSettings>;

/** An application's fields: Clipper's, then ours. */
const applicationFields: FieldsOf<Omit<Application, 'name'>> = {
  inputType,
  defaultOutput: text('default_output'),
  latencySloMicros: integer('latency_slo_micros', 1),
  cache: { ...flag('cache'), ...optional },
  apiKeyHashes: { ...list('api_key_hashes'), ...optional },
};

/** A model version's fields: Clipper's, then ours. Clipper's servers from before batch sizes write none. */
const modelFields: FieldsOf<ModelVersion> = {
  name: text('model_name'),
  version: text('model_version'),
  inputType,
  labels: list('labels'),
  containerName: text('container_name'),
  modelDataPath: text('model_data_path'),
  ...settings,
};

function checked<T>(field: string, written: string, value: unknown, isOne: (value: unknown) => boolean): T {
  if (isOne(value)) return value as T;
  throw new ClipperError('E_INVALID_OPTION', `its ${field} is ${written.slice(0, 80)}`);
}

const entriesOf = (fields: object): [string, Field<unknown>][] => Object.entries(fields);

function write<T extends object>(fields: FieldsOf<T>, record: T): Record<string, string> {
  const written: Record<string, string> = {};
  for (const [key, { field, write: print }] of entriesOf(fields)) {
    const value = record[key as keyof T];
    if (value !== undefined) written[field] = print(value);
  }
  return written;
}

function read<T extends object>(fields: FieldsOf<T>, hash: Fields): T {
  const record: Record<string, unknown> = {};
  for (const [key, { field, read: parse, missing }] of entriesOf(fields)) {
    const written = hash[field];
    if (written === undefined && missing === undefined) throw new ClipperError('E_INVALID_OPTION', `it has no ${field}`);
    const value = written === undefined ? missing?.value : parse(written);
    if (value !== undefined) record[key] = value;
  }
  return record as T;
}

export const writeApplication = ({ name: _, ...application }: Application): Fields => ({
  ...write(applicationFields, application),
  policy: 'DefaultOutputSelectionPolicy',
});

/** Throws if the hash is not an application. */
export const readApplication = (name: string, hash: Fields): Application => ({ name, ...read(applicationFields, hash) });

export const writeModel = (model: ModelVersion): Fields => ({ ...write(modelFields, model), load: '0.000000', valid: '' });

/** Throws if the hash is not a model version. */
export const readModel = (hash: Fields): ModelVersion => read(modelFields, hash);
