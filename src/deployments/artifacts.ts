import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeploymentRecord } from '../control/state-store.ts';
import { ClipperError } from '../errors.ts';
import type { ReplicaSource, ReplicaSpec } from '../replicas/backend.ts';
import { printShort } from '../util/print.ts';

/** Don't collect bundles younger than this: a client stores a bundle before it requests the deploy. */
const unclaimedMs = 600_000;

/** The bundles in a cluster's store. Images are left to the Docker engine. */
export class Artifacts {
  readonly #storeDir: string;

  constructor(storeDir: string) {
    this.#storeDir = storeDir;
  }

  /** What to run for a version. Throws E_INVALID_OPTION if its bundle is not in the store. */
  specOf({ name, version, inputType, digest, image, env, resources, network }: DeploymentRecord): ReplicaSpec {
    const source: ReplicaSource =
      image === undefined ? { kind: 'bundle', dir: this.#bundleDir(digest) } : { kind: 'image', image };
    return { modelName: name, modelVersion: version, inputType, env, resources, network, source };
  }

  /** Removes the bundles that no version needs, but not recent ones. Returns their digests. */
  async collect(deployments: readonly DeploymentRecord[], now = Date.now()): Promise<readonly string[]> {
    const needed = new Set(deployments.map(({ digest }) => digest));
    const names = await readdir(this.#storeDir).catch(() => []);
    const collected: string[] = [];
    for (const name of names.filter((each) => !needed.has(each))) {
      const dir = join(this.#storeDir, name);
      const facts = await stat(dir).catch(() => undefined);
      if (facts === undefined || now - facts.mtimeMs < unclaimedMs) continue;
      // What can't be removed now may be next time.
      const isGone = await rm(dir, { recursive: true, force: true }).then(
        () => true,
        () => false,
      );
      if (isGone) collected.push(name);
    }
    return collected;
  }

  #bundleDir(digest: string): string {
    const dir = join(this.#storeDir, digest);
    if (/^[0-9a-f]{64}$/.test(digest) && existsSync(join(dir, 'manifest.json'))) return dir;
    throw new ClipperError('E_INVALID_OPTION', `The cluster has no bundle with digest ${printShort(digest)}`);
  }
}
