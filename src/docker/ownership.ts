import { createHash } from 'node:crypto';
import type { DockerEngine } from './engine.ts';
import { labels } from './labels.ts';
import { isOwnerAlive, ownIdentity } from './owner.ts';
import { createVolume, volumesLabelled } from './volumes.ts';

/**
 * Which servers took over what other servers created. Labels can't be changed, so a take-over is recorded by an empty
 * volume whose labels name both servers.
 */
export class Ownership {
  readonly #heirs: ReadonlyMap<string, string>;

  private constructor(heirs: ReadonlyMap<string, string>) {
    this.#heirs = heirs;
  }

  static async read(engine: DockerEngine): Promise<Ownership> {
    const marks = await volumesLabelled(engine, labels.heirOf);
    return new Ownership(new Map(marks.map(({ labels: its }) => [its[labels.heirOf] ?? '', its[labels.server] ?? ''])));
  }

  /** The present owner of what a server created: that server, or the last in its chain of heirs. */
  ownerOf(server: string): string {
    let owner = server;
    // Bounded, because foreign labels may form a cycle.
    for (let left = this.#heirs.size; left > 0; left--) owner = this.#heirs.get(owner) ?? owner;
    return owner;
  }
}

/** Whether the server that created something, or the one that took it over, is alive. */
export const isServerAlive = async (engine: DockerEngine, server: string): Promise<boolean> =>
  isOwnerAlive(engine, (await Ownership.read(engine)).ownerOf(server));

/** Takes over what a server left, with our labels on the record. Returns false if another server was faster. */
export async function inherit(engine: DockerEngine, server: string, own: Readonly<Record<string, string>>): Promise<boolean> {
  // All contenders use the same name, so only one can create the volume.
  const name = `clipper-heir-of-${createHash('sha256').update(server).digest('hex').slice(0, 16)}`;
  const mark = await createVolume(engine, { name, labels: { ...own, [labels.heirOf]: server } });
  return mark.labels[labels.server] === ownIdentity();
}
