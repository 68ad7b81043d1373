import { createHash } from 'node:crypto';
import type { Libc } from '../bundle/target.ts';
import { createContainer, hasPath, removeContainer } from '../docker/containers.ts';
import type { DockerEngine } from '../docker/engine.ts';
import { type Following, findImage, type ImageFacts } from '../docker/images.ts';
import { labels, runtimeRepository } from '../docker/labels.ts';
import { ownIdentity } from '../docker/owner.ts';
import { ensureImage } from '../docker/pull.ts';
import type { AuthFor } from '../docker/registry-auth.ts';
import { ClipperError } from '../errors.ts';
import type { ImageSettings, LowerImage } from './image-plan.ts';
import { buildTime, makeLayer } from './layer.ts';
import { hasAllBuiltins, imageUser, type NodeBase, nodeBase } from './node-base.ts';
import { dockerArch, type ImagePlatform, nodeArch, platformOf, printPlatform } from './platform.ts';
import { putImage } from './put-image.ts';
import { runtimeEntry, runtimeFiles, runtimeKey } from './runtime-layer.ts';

/** An image with Node and our runtime, on which models' images are built. */
export interface RuntimeImage extends LowerImage {
  /** The path of Node's executable. */
  readonly node: string;
  /** Undefined if unknown. */
  readonly nodeVersion: string | undefined;
  readonly platform: ImagePlatform;
  readonly libc: Libc;
}

export interface BaseOptions extends Following {
  /** `auto`, or the name of an image with Node. */
  readonly baseImage: string;
  /** Left out: the engine's platform. */
  readonly platform?: ImagePlatform | undefined;
  /** Credentials for pulling the base image. */
  readonly authFor: AuthFor;
}

const underway = new Map<string, Promise<RuntimeImage>>();

/** Finds or makes the image with Node and the runtime. Throws E_IMAGE_FAILED, E_REGISTRY_FAILED, E_CANCELLED. */
export async function ensureRuntimeImage(engine: DockerEngine, options: BaseOptions): Promise<RuntimeImage> {
  const { address, id } = engine.facts;
  const key = JSON.stringify([address, id, options.baseImage, options.platform]);
  // Share the result of a concurrent call. Ignore its failure, which may have to do with that call alone.
  const found = await underway.get(key)?.catch(() => undefined);
  if (found !== undefined) return found;
  const making = ensure(engine, options);
  underway.set(key, making);
  try {
    return await making;
  } finally {
    if (underway.get(key) === making) underway.delete(key);
  }
}

function ensure(engine: DockerEngine, options: BaseOptions): Promise<RuntimeImage> {
  const { baseImage, platform = { os: 'linux', arch: engine.facts.arch } } = options;
  const isOwn = process.platform === 'linux' && platform.arch === dockerArch(process.arch) && hasAllBuiltins();
  if (baseImage === 'auto' && isOwn) return ensureOnOwnNode(engine, nodeBase(), { ...options, platform });
  const named = baseImage === 'auto' ? `node:${process.versions.node.split('.')[0]}-slim` : baseImage;
  return ensureOnNamed(engine, named, { ...options, platform });
}

type Placed = BaseOptions & { readonly platform: ImagePlatform };

async function ensureOnOwnNode(engine: DockerEngine, base: NodeBase, options: Placed): Promise<RuntimeImage> {
  const settings = settingsOf({ ...base, nodeVersion: process.versions.node });
  const reference = referenceOf(base.key, settings);
  const known = await findImage(engine, reference);
  if (known !== undefined) return runtimeImage(reference, known);
  options.onLine('making the base image of the running Node');
  const target = { arch: process.arch, libc: base.libc };
  const layers = [await makeLayer(base.files()), await makeLayer(runtimeFiles(target))];
  const made = await putImage(engine, { reference, platform: options.platform, below: undefined, layers, settings }, options);
  return runtimeImage(reference, made);
}

async function ensureOnNamed(engine: DockerEngine, named: string, options: Placed): Promise<RuntimeImage> {
  const base = await ensureImage(engine, named, { ...options, platform: printPlatform(options.platform) });
  const reference = referenceOf(base.id);
  const known = await findImage(engine, reference);
  if (known !== undefined) return runtimeImage(reference, known);
  options.onLine(`putting the runtime on ${named}`);
  const found = await lookInto(engine, named, base);
  const layers = [await makeLayer(runtimeFiles({ arch: nodeArch(base.arch), libc: found.libc }))];
  const below = { reference: base.id, layers: base.layers, config: base.config };
  const settings = settingsOf({ ...found, env: {}, nodeVersion: nodeVersionOf(base.env) });
  const made = await putImage(engine, { reference, platform: platformOf(base), below, layers, settings }, options);
  return runtimeImage(reference, made);
}

interface FoundNode {
  readonly node: string;
  readonly libc: Libc;
}

const muslArchs: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', arm: 'armhf' };

/** Finds Node and the C library by the image's files, because the image may not run on this machine. */
async function lookInto(engine: DockerEngine, named: string, { id, env, arch }: ImageFacts): Promise<FoundNode> {
  checkNodeVersion(named, env);
  const container = await createContainer(engine, { Image: id, Cmd: ['/node'], Labels: { [labels.server]: ownIdentity() } });
  try {
    const path = env.find((variable) => variable.startsWith('PATH='))?.slice(5) ?? '/usr/local/bin:/usr/bin:/bin';
    for (const folder of path.split(':')) {
      const node = `${folder}/node`;
      if (!(await hasPath(engine, container, node))) continue;
      const isMusl = await hasPath(engine, container, `/lib/ld-musl-${muslArchs[arch] ?? arch}.so.1`);
      return { node, libc: isMusl ? 'musl' : 'glibc' };
    }
    const message = `The base image ${named} has no Node: there is no \`node\` in its PATH, ${path}`;
    throw new ClipperError('E_IMAGE_FAILED', message, {
      fix: `name an image with Node, as node:${process.versions.node.split('.')[0]}-slim, or leave baseImage out`,
    });
  } finally {
    await removeContainer(engine, container);
  }
}

/** Node's official images have this variable. */
const nodeVersionOf = (env: readonly string[]): string | undefined =>
  env.find((variable) => variable.startsWith('NODE_VERSION='))?.slice('NODE_VERSION='.length);

function checkNodeVersion(named: string, env: readonly string[]): void {
  const version = nodeVersionOf(env);
  if (version === undefined || Number(version.split('.')[0]) >= 20) return;
  throw new ClipperError('E_IMAGE_FAILED', `The base image ${named} has Node ${version}, and 20 or newer is needed`);
}

/** The tag identifies the base, the runtime, the settings and the files' time. */
function referenceOf(baseKey: string, settings?: ImageSettings): string {
  const key = createHash('sha256')
    .update(JSON.stringify([baseKey, runtimeKey(), buildTime(), settings]))
    .digest('hex')
    .slice(0, 24);
  return `${runtimeRepository}:${key}`;
}

interface RuntimeFacts extends FoundNode {
  readonly env: Readonly<Record<string, string>>;
  readonly nodeVersion: string | undefined;
}

const settingsOf = ({ node, libc, env, nodeVersion }: RuntimeFacts): ImageSettings => ({
  env,
  program: { entrypoint: [node, runtimeEntry], user: `${imageUser.uid}:${imageUser.gid}`, workingDir: '/tmp' },
  labels: {
    [labels.node]: node,
    [labels.libc]: libc,
    ...(nodeVersion === undefined ? {} : { [labels.nodeVersion]: nodeVersion }),
  },
});

const runtimeImage = (reference: string, facts: ImageFacts): RuntimeImage => ({
  reference,
  layers: facts.layers,
  config: facts.config,
  node: facts.labels[labels.node] ?? '',
  nodeVersion: facts.labels[labels.nodeVersion],
  platform: platformOf(facts),
  libc: facts.labels[labels.libc] === 'musl' ? 'musl' : 'glibc',
});
