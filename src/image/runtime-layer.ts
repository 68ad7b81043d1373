import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findInstalled } from '../bundle/package-dirs.ts';
import type { SoftwarePart } from '../bundle/sbom.ts';
import type { Libc } from '../bundle/target.ts';
import { ClipperError } from '../errors.ts';
import { packageDir, replicaProgram } from '../util/package-files.ts';
import type { LayerFile } from './layer.ts';

/** The paths of the runtime and the bundle in an image. */
export const runtimeEntry = '/clipper/runtime/main.js';
export const bundleFolder = 'model';

/** The platform that the runtime's only native add-on must match. */
export interface AddonTarget {
  /** Node's name of the architecture. */
  readonly arch: string;
  readonly libc: Libc;
}

/** The runtime's files: our program, ZeroMQ's modules, and its add-on for the target. Throws E_IMAGE_FAILED. */
export function runtimeFiles(target: AddonTarget): readonly LayerFile[] {
  const zeromq = packageDirOf('zeromq');
  const loader = packageDirOf('cmake-ts', zeromq);
  const addon = addonOf(zeromq, target);
  const modules = readdirSync(join(zeromq, 'lib')).filter((name) => name.endsWith('.js'));
  return [
    read('clipper/runtime/main.js', replicaProgram),
    { path: 'clipper/runtime/package.json', content: Buffer.from('{ "type": "commonjs" }\n') },
    ...['package.json', 'LICENSE.txt', 'LICENSE_MPL-2.0.txt', ...modules.map((name) => `lib/${name}`)].map((name) =>
      read(`clipper/node_modules/zeromq/${name}`, join(zeromq, name)),
    ),
    ...['package.json', 'build/loader.js'].map((name) => read(`clipper/node_modules/cmake-ts/${name}`, join(loader, name))),
    read('clipper/node_modules/zeromq/build/addon.node', addon.file),
    { path: 'clipper/node_modules/zeromq/build/manifest.json', content: Buffer.from(manifestOf(addon)) },
  ];
}

/** Identifies the runtime's files, regardless of the target. */
export function runtimeKey(): string {
  const hash = createHash('sha256').update(readFileSync(replicaProgram));
  for (const { name, version } of runtimePackages()) hash.update(`\n${name} ${version}`);
  return hash.digest('hex');
}

export function runtimePackages(): readonly SoftwarePart[] {
  const zeromq = packageDirOf('zeromq');
  return [zeromq, packageDirOf('cmake-ts', zeromq)].map((dir) => {
    const { name, version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as SoftwarePart;
    return { name, version, license };
  });
}

function packageDirOf(name: string, from = packageDir): string {
  const found = findInstalled(name, from);
  if (found !== undefined) return found.dir;
  throw new ClipperError('E_IMAGE_FAILED', `The package ${name}, which replicas need, is not installed beside ${from}`);
}

const read = (path: string, file: string): LayerFile => ({ path, content: readFileSync(file) });

interface Addon {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The add-on that ZeroMQ's loader would try first: the newest for the target. All of them use Node's stable ABI. */
function addonOf(zeromq: string, { arch, libc }: AddonTarget): Addon {
  const manifest = JSON.parse(readFileSync(join(zeromq, 'build', 'manifest.json'), 'utf8')) as Record<string, string>;
  const fitting = Object.entries(manifest)
    .map(([key, path]) => ({ file: join(zeromq, 'build', path), config: JSON.parse(key) as Record<string, unknown> }))
    .filter(({ config }) => config.os === 'linux' && config.arch === arch && config.libc === libc);
  const [newest] = fitting.sort((a, b) => Number(b.config.abi) - Number(a.config.abi));
  if (newest !== undefined) return newest;
  const message = `ZeroMQ ships no add-on for linux on ${arch} with ${libc}, which replicas in such an image need`;
  throw new ClipperError('E_IMAGE_FAILED', message, { fix: 'use a base image for amd64 or arm64' });
}

/** The loader may mistake musl for glibc, as it goes by the presence of one file, so the add-on is listed for both. */
const manifestOf = ({ config }: Addon): string =>
  `${JSON.stringify(Object.fromEntries(['glibc', 'musl'].map((libc) => [JSON.stringify({ ...config, libc }), 'addon.node'])))}\n`;
