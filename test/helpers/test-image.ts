import { randomUUID } from 'node:crypto';
import type { DockerEngine } from '../../src/docker/engine.ts';
import { findImage, type ImageFacts, removeImage } from '../../src/docker/images.ts';
import { type LayerFile, makeLayer } from '../../src/image/layer.ts';
import { putImage } from '../../src/image/put-image.ts';

export interface TestImage extends AsyncDisposable {
  readonly reference: string;
  readonly id: string;
  readonly facts: ImageFacts;
  /** Takes it from the engine, with all its names. */
  remove(): Promise<void>;
}

/** Makes an image of one file, and of others if given, that no engine or registry had before. */
export async function testImage(
  engine: DockerEngine,
  reference: string,
  {
    files = [],
    arch = engine.facts.arch,
    env = {},
    entrypoint = ['/own'],
  }: { files?: readonly LayerFile[]; arch?: string; env?: Readonly<Record<string, string>>; entrypoint?: readonly string[] } = {},
): Promise<TestImage> {
  const own = await makeLayer([{ path: 'own', content: Buffer.from(randomUUID()) }]);
  const layers = files.length === 0 ? [own] : [await makeLayer(files), own];
  const plan = {
    reference,
    platform: { os: 'linux', arch },
    below: undefined,
    layers,
    settings: { env, labels: {}, program: { entrypoint, user: '65532:65532', workingDir: '/' } },
  } as const;
  const facts = await putImage(engine, plan, { onLine: () => {} });
  const { id } = facts;
  const remove = async (): Promise<void> => {
    const { tags = [], digests = [] } = (await findImage(engine, id)) ?? {};
    for (const name of [...tags, ...digests]) await removeImage(engine, name);
  };
  return { reference, id, facts, remove, [Symbol.asyncDispose]: remove };
}
