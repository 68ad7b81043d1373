import { createHash } from 'node:crypto';
import { buildTime, type Layer } from './layer.ts';
import { type ImagePlatform, printPlatform } from './platform.ts';

/** How containers of an image run. */
export interface ImageSettings {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** An image to be made: layers on top of one that the engine has, or of nothing. */
export interface ImagePlan {
  /** `repository:tag` */
  readonly reference: string;
  readonly platform: ImagePlatform;
  readonly below: { readonly reference: string; readonly layers: readonly string[] } | undefined;
  /** Lowest first. */
  readonly layers: readonly Layer[];
  readonly settings: ImageSettings;
}

/** The image's configuration; its SHA-256 is the image's id. */
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
      config: {
        User: settings.user,
        Env: settings.env,
        Entrypoint: settings.entrypoint,
        WorkingDir: settings.workingDir,
        Labels: sorted(settings.labels),
      },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map(() => ({ created, created_by: 'clipper-ts' })),
    }),
  );
}

export const idOf = (config: Uint8Array): string => `sha256:${createHash('sha256').update(config).digest('hex')}`;

/** The same image as a Dockerfile, which adds the layers by their names in the build's context. */
export function dockerfileOf({ platform, below, settings }: ImagePlan, layerNames: readonly string[]): string {
  const from = below === undefined ? 'scratch' : below.reference;
  return [
    `FROM --platform=${printPlatform(platform)} ${from}`,
    ...layerNames.map((name) => `ADD ${name} /`),
    ...settings.env.map((variable) => {
      const [name = ''] = variable.split('=', 1);
      return `ENV ${name}=${quoted(variable.slice(name.length + 1))}`;
    }),
    `LABEL ${Object.entries(sorted(settings.labels))
      .map(([name, value]) => `${quoted(name)}=${quoted(value)}`)
      .join(' ')}`,
    `USER ${settings.user}`,
    `WORKDIR ${settings.workingDir}`,
    'CMD []',
    `ENTRYPOINT ${JSON.stringify(settings.entrypoint)}`,
    '',
  ].join('\n');
}

/** In a Dockerfile's double quotes, these three mean something, and a line ends the instruction. */
const quoted = (text: string): string => `"${text.replace(/["\\$]/g, '\\$&').replace(/\s/g, ' ')}"`;

const sorted = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
