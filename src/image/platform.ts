import type { ImageFacts } from '../docker/images.ts';
import { ClipperError } from '../errors.ts';

/** An image's platform, with Docker's names. */
export interface ImagePlatform {
  readonly os: 'linux';
  readonly arch: string;
  readonly variant?: string;
}

const dockerArchs: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
const nodeArchs: Readonly<Record<string, string>> = { amd64: 'x64', '386': 'ia32' };

/** Convert between Node's and Docker's names of an architecture. */
export const dockerArch = (arch: string): string => dockerArchs[arch] ?? arch;
export const nodeArch = (arch: string): string => nodeArchs[arch] ?? arch;

/** Parses `linux/arm64` or `linux/arm/v7`. Throws E_INVALID_OPTION. */
export function parsePlatform(text: string): ImagePlatform {
  const [, arch, variant] = /^linux\/([a-z0-9]+)(?:\/(v[0-9]+))?$/.exec(text) ?? [];
  if (arch !== undefined) return { os: 'linux', arch: dockerArch(arch), ...(variant === undefined ? {} : { variant }) };
  throw new ClipperError(
    'E_INVALID_OPTION',
    `A platform of an image is written as linux/amd64 or linux/arm64, got "${text.slice(0, 80)}"`,
  );
}

export const platformOf = ({ arch, variant }: ImageFacts): ImagePlatform => ({
  os: 'linux',
  arch,
  ...(variant === undefined ? {} : { variant }),
});

export const printPlatform = ({ os, arch, variant }: ImagePlatform): string =>
  [os, arch, ...(variant === undefined ? [] : [variant])].join('/');
