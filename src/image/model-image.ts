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

/** What an image of a model is made of. */
export interface ModelImage {
  readonly name: string;
  readonly version: string;
  readonly inputType: InputType;
  readonly bundle: StoredBundle;
  /** Where the user's code is kept, as a URL. */
  readonly source?: string | undefined;
}

/** Makes an image of a bundle on top of one with the runtime. Throws as putImage does. */
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

/** Smaller ones are sent in less time than it takes to ask for them. */
const isLarge = ({ files }: StoredBundle): boolean => files.reduce((sum, { bytes }) => sum + bytes, 0) > 2 ** 20;

/** An image with the same bundle on the same runtime: its layers need not be made and sent again. */
async function knownImage(engine: DockerEngine, digest: string, runtime: RuntimeImage): Promise<LowerImage | undefined> {
  for (const id of await imagesLabelled(engine, `${labels.bundle}=${digest}`)) {
    const { layers = [] } = (await findImage(engine, id)) ?? {};
    const isOnRuntime = layers.length > runtime.layers.length && runtime.layers.every((each, index) => each === layers[index]);
    if (isOnRuntime) return { reference: id, layers, config: runtime.config };
  }
  return undefined;
}

/** Where the bill of materials of the whole image lies in it. */
const sbomPath = 'clipper/sbom.cdx.json';

/** What is in an image besides a bundle. */
function softwareOf({ nodeVersion }: RuntimeImage): readonly SoftwarePart[] {
  const version = nodeVersion === undefined ? '' : `@${nodeVersion}`;
  return [
    { name: 'node', version: nodeVersion, license: 'MIT', type: 'platform', purl: `pkg:generic/node${version}` },
    ...runtimePackages(),
  ];
}

/** The packages that can't be bundled and the bundle: most deploys change only the second. */
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
    // The root may be read-only.
    CLIPPER_READY_FILE: '/tmp/model_is_ready.check',
  },
  labels: {
    ...modelLabels({ name, version, inputType, source }),
    [labels.bundle]: bundle.digest,
  },
});

type Described = Pick<ModelImage, 'name' | 'version' | 'inputType' | 'source'>;

/** What a container must know to be started by hand. */
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
