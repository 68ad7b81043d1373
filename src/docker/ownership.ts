import { createHash } from 'node:crypto';
import type { DockerEngine } from './engine.ts';
import { labels } from './labels.ts';
import { isOwnerAlive, ownIdentity } from './owner.ts';
import { createVolume, volumesLabelled } from './volumes.ts';

/**
 * Which servers took over what others left. Labels can't be changed: that one server is another's heir is told by an empty
 * volume, whose labels name both.
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

  /** Whose it is now what a server made: that server's, or that of the last of its heirs. */
  ownerOf(server: string): string {
    let owner = server;
    // No server is an heir of its own heirs; somebody else's labels may say so.
    for (let left = this.#heirs.size; left > 0; left--) owner = this.#heirs.get(owner) ?? owner;
    return owner;
  }
}

/** Whether the server lives that made something, or one that took it over. */
export const isServerAlive = async (engine: DockerEngine, server: string): Promise<boolean> =>
  isOwnerAlive(engine, (await Ownership.read(engine)).ownerOf(server));

/** Takes over what a server left, with labels of our own. False where another one was faster. */
export async function inherit(engine: DockerEngine, server: string, own: Readonly<Record<string, string>>): Promise<boolean> {
  // One name for all that try, of whom one can make it.
  const name = `clipper-heir-of-${createHash('sha256').update(server).digest('hex').slice(0, 16)}`;
  const mark = await createVolume(engine, { name, labels: { ...own, [labels.heirOf]: server } });
  return mark.labels[labels.server] === ownIdentity();
}
