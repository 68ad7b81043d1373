import { createHash } from 'node:crypto';
import { buildTime, type Layer } from './layer.ts';
import { type ImagePlatform, printPlatform } from './platform.ts';

/** How an image's containers run. What is left out is inherited from the image below. */
export interface ImageSettings {
  /** Added to the variables of the image below. */
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly program?: {
    readonly entrypoint: readonly string[];
    readonly user: string;
    readonly workingDir: string;
  };
}

/** An image in the engine, to build on. */
export interface LowerImage {
  readonly reference: string;
  readonly layers: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

/** An image to make: layers on top of an existing image, or on nothing. */
export interface ImagePlan {
  /** `repository:tag` */
  readonly reference: string;
  readonly platform: ImagePlatform;
  readonly below: LowerImage | undefined;
  /** Lowest first. */
  readonly layers: readonly Layer[];
  readonly settings: ImageSettings;
}

/** The image's configuration. Its SHA-256 is the image's id. */
export function configOf({ platform, below, layers, settings }: ImagePlan): Buffer {
  const created = buildTime().toISOString();
  const diffIds = [...(below?.layers ?? []), ...layers.map(({ diffId }) => diffId)];
  const { os, arch, variant } = platform;
  return Buffer.from(
    JSON.stringify({
      architecture: arch,
      os,
      ...(variant === undefined ? {} : { variant }),
      created,
      config: runOf(below?.config ?? {}, settings),
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map(() => ({ created, created_by: 'clipper-ts' })),
    }),
  );
}

/** The configuration of its containers: that of the image below, with the settings applied. */
function runOf(below: Readonly<Record<string, unknown>>, { env, labels, program }: ImageSettings): object {
  const own = ((below.Env ?? []) as readonly string[]).filter((variable) => !(nameOf(variable) in env));
  return {
    ...below,
    ...(program === undefined
      ? {}
      : { Entrypoint: program.entrypoint, Cmd: null, User: program.user, WorkingDir: program.workingDir }),
    Env: [...own, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    Labels: sorted({ ...(below.Labels as Record<string, string> | null), ...labels }),
  };
}

const nameOf = (variable: string): string => variable.split('=', 1)[0] ?? '';

export const idOf = (config: Uint8Array): string => `sha256:${createHash('sha256').update(config).digest('hex')}`;

/** The same image as a Dockerfile that adds the layers by their names in the build context. */
export function dockerfileOf({ platform, below, settings }: ImagePlan, layerNames: readonly string[]): string {
  const from = below === undefined ? 'scratch' : below.reference;
  return [
    `FROM --platform=${printPlatform(platform)} ${from}`,
    ...layerNames.map((name) => `ADD ${name} /`),
    ...Object.entries(settings.env).map(([name, value]) => `ENV ${name}=${quoted(value)}`),
    ...Object.entries(sorted(settings.labels)).map(([name, value]) => `LABEL ${quoted(name)}=${quoted(value)}`),
    ...programLines(settings),
    '',
  ].join('\n');
}

const programLines = ({ program }: ImageSettings): readonly string[] =>
  program === undefined
    ? []
    : [`USER ${program.user}`, `WORKDIR ${program.workingDir}`, 'CMD []', `ENTRYPOINT ${JSON.stringify(program.entrypoint)}`];

/** Escapes what is special in a Dockerfile's double quotes. A line break would end the instruction. */
const quoted = (text: string): string => `"${text.replace(/["\\$]/g, '\\$&').replace(/\s/g, ' ')}"`;

const sorted = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
