import { lstatSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { DockerEngine } from '../docker/engine.ts';
import type { Following, ImageFacts } from '../docker/images.ts';
import { ClipperError, messageOf } from '../errors.ts';
import type { InputType } from '../protocol/input-types.ts';
import { type Layer, type LayerFile, makeLayer } from './layer.ts';
import { modelLabels, modelVariables } from './model-image.ts';
import { platformOf } from './platform.ts';
import { putImage } from './put-image.ts';
import { bundleFolder } from './runtime-layer.ts';

/** A model's data, to be put into an image that the user made. */
export interface DataImage {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  /** A file, or a folder with all that is in it. */
  readonly modelPath: string;
}

/** Puts a model's data on top of an image, at `/model`. Throws E_INVALID_OPTION, and as putImage does. */
export async function putDataImage(
  engine: DockerEngine,
  { below, reference, modelPath, ...model }: DataImage & { below: ImageFacts; reference: string },
  following: Following,
): Promise<ImageFacts> {
  const plan = {
    reference,
    platform: platformOf(below),
    below: { reference: below.id, layers: below.layers, config: below.config },
    layers: [await dataLayer(resolve(modelPath), following)],
    settings: { env: modelVariables(model), labels: modelLabels(model) },
  };
  return putImage(engine, plan, following);
}

async function dataLayer(path: string, { signal }: Following): Promise<Layer> {
  try {
    return await makeLayer(filesAt(path), signal);
  } catch (error) {
    if (signal?.aborted === true) throw new ClipperError('E_CANCELLED', `Reading the modelPath ${path} was cancelled`);
    throw new ClipperError('E_INVALID_OPTION', `The modelPath ${path} can't be read: ${messageOf(error)}`, { cause: error });
  }
}

/** What the path leads to, where it is a link, under the name that was given. */
function filesAt(path: string): readonly LayerFile[] {
  const real = realpathSync(path);
  const stats = lstatSync(real);
  if (stats.isDirectory()) return filesIn(real, bundleFolder);
  if (!stats.isFile()) throw new TypeError('it is neither a file nor a folder');
  return [fileAt(real, `${bundleFolder}/${basename(path)}`)];
}

const filesIn = (dir: string, place: string): readonly LayerFile[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const [from, to] = [join(dir, entry.name), `${place}/${entry.name}`];
    if (entry.isDirectory()) return [{ path: to, content: 'folder' as const }, ...filesIn(from, to)];
    return entry.isFile() || entry.isSymbolicLink() ? [fileAt(from, to)] : [];
  });

function fileAt(file: string, path: string): LayerFile {
  const { size, mode } = lstatSync(file);
  if (lstatSync(file).isSymbolicLink()) return { path, content: { link: readlinkSync(file) } };
  return { path, content: { file, bytes: size }, mode: (mode & 0o111) === 0 ? 0o644 : 0o755 };
}
