import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Libc } from '../bundle/target.ts';
import { nodeReport } from '../util/node-report.ts';
import type { LayerFile } from './layer.ts';

/** The user that replicas run as. An id that no machine uses. */
export const imageUser = { uid: 65_532, gid: 65_532, name: 'clipper' } as const;

/** Libraries that Node itself may load. The running program may have loaded others for its add-ons. */
const ofNode =
  /^(?:ld-|ld64|libc[.-]|libm[.-]|libdl[.-]|libpthread[.-]|librt[.-]|libresolv[.-]|libutil[.-]|libanl[.-]|libnss_(?:files|dns)[.-]|libstdc\+\+|libgcc_s|libatomic|libgomp)/;
/** Loaded on demand by the libraries above, or by add-ons. */
const besideLibc = [
  'librt.so.1',
  'libresolv.so.2',
  'libutil.so.1',
  'libanl.so.1',
  'libnss_files.so.2',
  'libnss_dns.so.2',
  'libgomp.so.1',
  'libatomic.so.1',
];

/** The files of this machine that Node needs: its executable and shared libraries. */
export interface NodeBase {
  /** Identifies the files' state. Changes when Node or a library is updated. */
  readonly key: string;
  /** The executable's path in the image. */
  readonly node: string;
  readonly env: Readonly<Record<string, string>>;
  readonly libc: Libc;
  readonly files: () => readonly LayerFile[];
}

const nodePath = '/usr/local/bin/node';

let own: NodeBase | undefined;

/** Describes a base image of the running Node. Linux only. The files are read when the layer is made. */
export function nodeBase(): NodeBase {
  own ??= describeBase();
  return own;
}

function describeBase(): NodeBase {
  const { glibcVersion, sharedObjects } = nodeReport();
  const libraries = librariesOf(sharedObjects);
  const paths = [process.execPath, ...libraries];
  const stamps = paths.map((path) => {
    const { size, mtimeMs } = statSync(path);
    return `${path} ${size} ${mtimeMs}`;
  });
  const folders = extraFolders(libraries);
  return {
    key: createHash('sha256').update(stamps.join('\n')).digest('hex').slice(0, 16),
    node: nodePath,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...(folders.length === 0 ? {} : { LD_LIBRARY_PATH: folders.join(':') }),
    },
    libc: glibcVersion === undefined ? 'musl' : 'glibc',
    files: () => [
      { ...fileAt(process.execPath), path: nodePath.slice(1), mode: 0o755 },
      ...libraries.map((path) => ({ ...fileAt(path), mode: 0o755 })),
      ...systemFiles(),
    ],
  };
}

function librariesOf(sharedObjects: readonly string[]): readonly string[] {
  const present = sharedObjects.filter((path) => path.startsWith('/') && existsSync(path));
  const loaded = [...present.filter((path) => ofNode.test(basename(path))), ...neededLibraries(present)];
  const libc = loaded.find((path) => /^(?:libc[.-]|ld-musl)/.test(basename(path)));
  const beside = libc === undefined ? [] : besideLibc.map((name) => join(dirname(libc), name)).filter((path) => existsSync(path));
  return [...new Set([...loaded, ...beside])].sort();
}

/** The executable's libraries, as its loader finds them. A distribution's Node shares OpenSSL, ICU and others. */
function neededLibraries(sharedObjects: readonly string[]): readonly string[] {
  const loader = sharedObjects.find((path) => /^ld(?:64)?[-.]/.test(basename(path)));
  if (loader === undefined) return [];
  const { stdout } = spawnSync(loader, ['--list', process.execPath], { encoding: 'utf8', env: process.env });
  return [...(stdout ?? '').matchAll(/=> (\/\S+)/g)].flatMap(([, path]) =>
    path !== undefined && existsSync(path) ? [path] : [],
  );
}

/** Whether the executable contains all of Node's JavaScript. Distributions may keep parts of it in separate folders. */
export function hasAllBuiltins(): boolean {
  const { node_builtin_shareable_builtins: within } = process.config.variables as {
    node_builtin_shareable_builtins?: readonly string[];
  };
  return within === undefined || within.some((file) => file.includes('undici'));
}

/** Folders that the loader must be told of, because the image has no loader cache. */
function extraFolders(libraries: readonly string[]): readonly string[] {
  const folders = new Set(libraries.map((path) => dirname(path)));
  const libc = libraries.find((path) => /^libc[.-]/.test(basename(path)));
  return [...folders]
    .filter((folder) => folder !== (libc === undefined ? folder : dirname(libc)) && !/^(?:\/usr)?\/lib(?:64)?$/.test(folder))
    .sort();
}

function fileAt(path: string): Pick<LayerFile, 'path' | 'content'> {
  const file = realpathSync(path);
  return { path: path.slice(1), content: { file, bytes: statSync(file).size } };
}

function systemFiles(): readonly LayerFile[] {
  const { uid, gid, name } = imageUser;
  const text = (path: string, lines: readonly string[]): LayerFile => ({ path, content: Buffer.from(`${lines.join('\n')}\n`) });
  return [
    text('etc/passwd', ['root:x:0:0:root:/root:/sbin/nologin', `${name}:x:${uid}:${gid}::/tmp:/sbin/nologin`]),
    text('etc/group', ['root:x:0:', `${name}:x:${gid}:`]),
    text('etc/nsswitch.conf', ['passwd: files', 'group: files', 'hosts: files dns']),
    text('etc/ssl/certs/ca-certificates.crt', rootCertificates),
    { path: 'tmp', content: 'folder', mode: 0o1777 },
  ];
}
