import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Header, Pack } from 'tar-stream';
import type { DockerEngine } from '../docker/engine.ts';
import { buildImage, type Following, findImage, type ImageFacts, loadImage } from '../docker/images.ts';
import { ClipperError, isClipperError } from '../errors.ts';
import { configOf, dockerfileOf, type ImagePlan, idOf } from './image-plan.ts';
import { addEntry, archived, buildTime, type Layer } from './layer.ts';
import { printPlatform } from './platform.ts';

/** Engines that claim to load images without their lower layers, but can't. */
const notThin = new WeakSet<DockerEngine>();

/**
 * Gives an engine an image: as an archive without the layers that it already has or, if it can't load that, by a classic
 * build. Throws E_IMAGE_FAILED, E_CANCELLED; E_IMAGE_NOT_FOUND if the image below is gone.
 */
export async function putImage(engine: DockerEngine, plan: ImagePlan, following: Following): Promise<ImageFacts> {
  const isThin = engine.facts.takesThinImages && !notThin.has(engine);
  await (isThin ? loadThin : buildClassic)(engine, plan, following);
  const made = await findImage(engine, plan.reference);
  if (made !== undefined) return made;
  throw new ClipperError('E_IMAGE_FAILED', `The Docker engine took the image ${plan.reference} and doesn't have it`);
}

async function loadThin(engine: DockerEngine, plan: ImagePlan, following: Following): Promise<void> {
  try {
    await loadImage(engine, archiveOf(plan), following);
  } catch (error) {
    if (!isClipperError(error) || error.code !== 'E_IMAGE_FAILED' || /space left|disk quota/i.test(error.message)) throw error;
    await checkBelow(engine, plan);
    if (plan.below === undefined) throw error;
    notThin.add(engine);
    await buildClassic(engine, plan, following);
  }
}

async function checkBelow(engine: DockerEngine, { reference, below }: ImagePlan): Promise<void> {
  if (below === undefined || (await findImage(engine, below.reference)) !== undefined) return;
  const message = `The image ${below.reference}, on which ${reference} is made, was removed meanwhile`;
  throw new ClipperError('E_IMAGE_NOT_FOUND', message);
}

/** Builds the image from a generated Dockerfile. */
export async function buildClassic(engine: DockerEngine, plan: ImagePlan, following: Following): Promise<void> {
  await checkBelow(engine, plan);
  const platform = printPlatform(plan.platform);
  await buildImage(engine, contextOf(plan), { ...following, tag: plan.reference, platform });
}

/** An archive for `docker load`. Lower layers are only named, and come from the engine. */
export function archiveOf(plan: ImagePlan): Readable {
  const config = configOf(plan);
  const configName = `${idOf(config).slice(7)}.json`;
  const names = [...(plan.below?.layers ?? []), ...plan.layers.map(({ diffId }) => diffId)].map(layerName);
  const manifest = [{ Config: configName, RepoTags: [plan.reference], Layers: names }];
  return archived(async (archive) => {
    await addEntry(archive, { ...made(), name: configName }, config);
    await addEntry(archive, { ...made(), name: 'manifest.json' }, Buffer.from(JSON.stringify(manifest)));
    for (const layer of plan.layers) await addLayer(archive, layer, layerName(layer.diffId));
  });
}

const layerName = (diffId: string): string => `${diffId.slice(7)}/layer.tar`;

/** The context of a classic build: a Dockerfile and the layers. */
function contextOf(plan: ImagePlan): Readable {
  const names = plan.layers.map((_, index) => `layer-${index}.tar`);
  return archived(async (archive) => {
    await addEntry(archive, { ...made(), name: 'Dockerfile' }, Buffer.from(dockerfileOf(plan, names)));
    for (const [index, layer] of plan.layers.entries()) await addLayer(archive, layer, names[index] ?? '');
  });
}

const made = (): { mtime: Date } => ({ mtime: buildTime() });

async function addLayer(archive: Pack, layer: Layer, name: string): Promise<void> {
  await pipeline(layer.open(), archive.entry({ ...made(), name, size: layer.bytes } as Header));
}
