import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type StoredBundle, sbomName } from '../bundle/bundle.ts';
import { mergeSbom, printSbom, type Sbom, type SoftwarePart } from '../bundle/sbom.ts';
import type { BundleFile } from '../bundle/write-files.ts';
import type { DockerEngine } from '../docker/engine.ts';
import { type Following, findImage, type ImageFacts, imagesLabelled } from '../docker/images.ts';
import { labels } from '../docker/labels.ts';
import type { InputType } from '../protocol/input-types.ts';
import type { ImageSettings, LowerImage } from './image-plan.ts';
import { buildTime, type Layer, type LayerFile, makeLayer } from './layer.ts';
import { putImage } from './put-image.ts';
import type { RuntimeImage } from './runtime-image.ts';
import { bundleFolder, runtimePackages } from './runtime-layer.ts';

/** A model to make an image of. */
export interface ModelImage {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly bundle: StoredBundle;
  /** The URL of the user's source code. */
  readonly source?: string | undefined;
}

/** Makes an image of a bundle on top of the runtime image. Throws what `putImage` throws. */
export async function putModelImage(
  engine: DockerEngine,
  { runtime, reference, ...model }: ModelImage & { runtime: RuntimeImage; reference: string },
  following: Following,
): Promise<ImageFacts> {
  const { bundle } = model;
  const known = isLarge(bundle) ? await knownImage(engine, bundle.digest, runtime) : undefined;
  const plan = {
    reference,
    platform: runtime.platform,
    below: known ?? runtime,
    layers: known === undefined ? await layersOf(bundle, softwareOf(runtime)) : [],
    settings: settingsOf(model),
  };
  return putImage(engine, plan, following);
}

/** Sending a smaller bundle takes less time than looking for it. */
const isLarge = ({ files }: StoredBundle): boolean => files.reduce((sum, { bytes }) => sum + bytes, 0) > 2 ** 20;

/** An image with the same bundle on the same runtime, so that its layers need not be made and sent again. */
async function knownImage(engine: DockerEngine, digest: string, runtime: RuntimeImage): Promise<LowerImage | undefined> {
  for (const id of await imagesLabelled(engine, `${labels.bundle}=${digest}`)) {
    const { layers = [] } = (await findImage(engine, id)) ?? {};
    const isOnRuntime = layers.length > runtime.layers.length && runtime.layers.every((each, index) => each === layers[index]);
    if (isOnRuntime) return { reference: id, layers, config: runtime.config };
  }
  return undefined;
}

/** The bill of materials of the whole image. */
const sbomPath = 'clipper/sbom.cdx.json';

/** The software in an image besides the bundle. */
function softwareOf({ nodeVersion }: RuntimeImage): readonly SoftwarePart[] {
  const version = nodeVersion === undefined ? '' : `@${nodeVersion}`;
  return [
    { name: 'node', version: nodeVersion, license: 'MIT', type: 'platform', purl: `pkg:generic/node${version}` },
    ...runtimePackages(),
  ];
}

/** Packages that can't be bundled have a layer of their own, because most deploys change only the bundle. */
async function layersOf({ dir, files }: StoredBundle, software: readonly SoftwarePart[]): Promise<readonly Layer[]> {
  const isPackage = ({ path }: BundleFile): boolean => path.startsWith('node_modules/');
  const manifest = fileOf(dir, { path: 'manifest.json', bytes: statSync(join(dir, 'manifest.json')).size });
  const ofBundle = JSON.parse(await readFile(join(dir, sbomName), 'utf8')) as Sbom;
  const bill = { path: sbomPath, content: Buffer.from(printSbom(mergeSbom(ofBundle, software, 'image'))) };
  const packages = files.filter(isPackage).map((file) => fileOf(dir, file));
  const own = files.filter((file) => !isPackage(file)).map((file) => fileOf(dir, file));
  return [...(packages.length === 0 ? [] : [await makeLayer(packages)]), await makeLayer([...own, manifest, bill])];
}

const fileOf = (dir: string, { path, bytes, link, executable }: Omit<BundleFile, 'sha256'>): LayerFile => ({
  path: `${bundleFolder}/${path}`,
  content: link === undefined ? { file: join(dir, path), bytes } : { link },
  ...(executable === true ? { mode: 0o755 } : {}),
});

const settingsOf = ({ name, version, inputType, bundle, source }: ModelImage): ImageSettings => ({
  env: {
    ...modelVariables({ name, version, inputType }),
    // The root file system may be read-only.
    CLIPPER_READY_FILE: '/tmp/model_is_ready.check',
  },
  labels: {
    ...modelLabels({ name, version, inputType, source }),
    [labels.bundle]: bundle.digest,
  },
});

type Described = Pick<ModelImage, 'name' | 'version' | 'inputType' | 'source'>;

/** The variables that a container needs if it is started by hand. */
export const modelVariables = ({ name, version, inputType }: Described): Record<string, string> => ({
  CLIPPER_MODEL_NAME: name,
  CLIPPER_MODEL_VERSION: version,
  CLIPPER_INPUT_TYPE: inputType,
  CLIPPER_MODEL_PATH: `/${bundleFolder}`,
});

export const modelLabels = ({ name, version, inputType, source }: Described): Record<string, string> => ({
  'org.opencontainers.image.title': name,
  'org.opencontainers.image.version': version,
  'org.opencontainers.image.created': buildTime().toISOString(),
  ...(source === undefined ? {} : { 'org.opencontainers.image.source': source }),
  [labels.model]: name,
  [labels.version]: version,
  [labels.inputType]: inputType,
});
