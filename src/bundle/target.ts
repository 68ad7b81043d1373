import { nodeReport } from '../util/node-report.ts';
import { z } from '../util/zod.ts';

export type Libc = 'glibc' | 'musl';

/** Where a bundle is to run. */
export interface BundleTarget {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** On Linux only. */
  readonly libc: Libc | undefined;
}

const aPlatform = z.custom<NodeJS.Platform>((value) => typeof value === 'string', 'must be a platform, as process.platform is');

export const targetOption = z
  .strictObject({ platform: aPlatform, arch: z.string().min(1), libc: z.enum(['glibc', 'musl']).optional() })
  .optional()
  .describe("Where the bundle is to run, for packages with native binaries; left out: this process's platform.");
export type TargetOption = z.input<typeof targetOption>;

/** Fills in what a target leaves open, from this process if the platform is the same. */
export function resolveTarget({ platform, arch, libc }: NonNullable<TargetOption> = process as Platform): BundleTarget {
  if (platform !== 'linux') return { platform, arch, libc: undefined };
  return { platform, arch, libc: libc ?? (process.platform === 'linux' ? processLibc() : 'glibc') };
}

type Platform = Pick<NodeJS.Process, 'platform' | 'arch'>;

let ownLibc: Libc | undefined;

function processLibc(): Libc {
  ownLibc ??= nodeReport().glibcVersion === undefined ? 'musl' : 'glibc';
  return ownLibc;
}

export function isThisProcess(target: BundleTarget): boolean {
  const own = resolveTarget();
  return target.platform === own.platform && target.arch === own.arch && target.libc === own.libc;
}

export const printTarget = ({ platform, arch, libc }: BundleTarget): string =>
  [platform, arch, libc].filter((each) => each !== undefined).join('-');

/** The npm flags for a target. */
export const npmFlags = ({ platform, arch, libc }: BundleTarget): readonly string[] => [
  `--os=${platform}`,
  `--cpu=${arch}`,
  ...(libc === undefined ? [] : [`--libc=${libc}`]),
];
