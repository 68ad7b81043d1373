import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { DockerEngine } from '../docker/engine.ts';
import type { Following, ImageFacts } from '../docker/images.ts';
import { ClipperError, messageOf } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import { type Layer, type LayerFile, makeLayer } from './layer.ts';
import { modelLabels, modelVariables } from './model-image.ts';
import { platformOf } from './platform.ts';
import { putImage } from './put-image.ts';
import { bundleFolder } from './runtime-layer.ts';

/** A model's data, to be added to the user's own image. */
export interface DataImage {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  /** A file or a folder. */
  readonly modelPath: string;
}

export interface NamedImage {
  readonly id: string;
  readonly reference: string;
}

/**
 * Adds a model's data to an image, at `/model`, under a name derived from the data. Throws E_INVALID_OPTION, and what
 * `putImage` throws.
 */
export async function putDataImage(
  engine: DockerEngine,
  { below, repository, modelPath, ...model }: DataImage & { below: ImageFacts; repository: string },
  following: Following,
): Promise<NamedImage> {
  const layer = await dataLayer(resolve(modelPath), following);
  const key = createHash('sha256').update(`${below.id} ${layer.diffId}`).digest('hex').slice(0, 12);
  const reference = `${repository}:${model.version}-${key}`;
  const plan = {
    reference,
    platform: platformOf(below),
    below: { reference: below.id, layers: below.layers, config: below.config },
    layers: [layer],
    settings: { env: modelVariables(model), labels: modelLabels(model) },
  };
  return { id: (await putImage(engine, plan, following)).id, reference };
}

async function dataLayer(path: string, { signal }: Following): Promise<Layer> {
  try {
    return await makeLayer(filesAt(path), signal);
  } catch (error) {
    if (signal?.aborted === true) throw new ClipperError('E_CANCELLED', `Reading the modelPath ${path} was cancelled`);
    throw new ClipperError('E_INVALID_OPTION', `The modelPath ${path} can't be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Follows the path if it is a link, but keeps the given name. */
function filesAt(path: string): readonly LayerFile[] {
  const real = realpathSync(path);
  const stats = statSync(real);
  if (stats.isDirectory()) return filesIn(real, { root: real, place: bundleFolder });
  if (!stats.isFile()) throw new TypeError('it is neither a file nor a folder');
  return [fileAt(real, `${bundleFolder}/${basename(path)}`)];
}

const filesIn = (dir: string, { root, place }: { root: string; place: string }): readonly LayerFile[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const [from, to] = [join(dir, entry.name), `${place}/${entry.name}`];
    if (entry.isDirectory()) return [{ path: to, content: 'folder' as const }, ...filesIn(from, { root, place: to })];
    if (entry.isSymbolicLink()) return [linkAt(from, { root, path: to })];
    return entry.isFile() ? [fileAt(from, to)] : [];
  });

/** Keeps a link that points into the folder, else copies the file that it points to. */
function linkAt(link: string, { root, path }: { root: string; path: string }): LayerFile {
  const target = readlinkSync(link);
  const within = !isAbsolute(target) && !relative(root, resolve(dirname(link), target)).startsWith('..');
  if (within) return { path, content: { link: target } };
  if (statSync(link).isFile()) return fileAt(realpathSync(link), path);
  throw new Error(`${link} is a link to ${target}, which is outside of it and not a file`);
}

function fileAt(file: string, path: string): LayerFile {
  const { size, mode } = statSync(file);
  return { path, content: { file, bytes: size }, mode: (mode & 0o111) === 0 ? 0o644 : 0o755 };
}
