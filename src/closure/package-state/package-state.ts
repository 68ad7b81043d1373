import { messageOf } from '../../errors.ts';
import type { GraphBuilder } from '../capture/graph-builder.ts';
import type { CaptureWatch } from '../capture/options.ts';
import type { LoadedFile } from '../graph/closure.ts';
import type { Problem } from '../graph/problem.ts';
import { packageNameOf } from '../heap/package-members.ts';
import { CarriedState } from './carry.ts';
import { Comparison } from './compare.ts';
import { freshState } from './fresh.ts';
import type { Snapshot } from './snapshot.ts';

/** The last snapshot used, by captured function. */
const used = new WeakMap<Function, { readonly files: string; readonly snapshot: Snapshot }>();

/**
 * What the process changed in the packages that a closure uses, compared with a fresh load of the same modules. The heap may
 * have to be read several times until it is known which modules these are and which changes can travel.
 */
export class PackageState {
  /** Warnings about changes that stay behind. */
  readonly #lost = new Map<string, Problem>();
  readonly #key: Function;
  #files: string;
  #snapshot: Snapshot | undefined;
  /** Whether the packages in use are still unknown. */
  #isUnknown: boolean;

  /** `fn` identifies the closure: it usually uses the same packages as in its last capture. */
  constructor(fn: Function) {
    this.#key = fn;
    const { files = '[]', snapshot } = used.get(fn) ?? {};
    this.#files = files;
    this.#snapshot = snapshot;
    this.#isUnknown = snapshot === undefined;
  }

  get warnings(): readonly Problem[] {
    return [...this.#lost.values()];
  }

  /** Gives the next pass over the heap what is known so far. */
  enter(builder: GraphBuilder): void {
    if (this.#isUnknown) builder.unknown = new Set();
    if (this.#snapshot === undefined) return;
    const comparison = new Comparison(builder.sources, this.#snapshot);
    builder.state = new CarriedState(builder, comparison, (what) => this.#lost.has(what));
  }

  /** Whether a pass took everything into account. If not, it must be repeated. */
  async isWhole(files: readonly LoadedFile[], builder: GraphBuilder, watch: CaptureWatch): Promise<boolean> {
    const wanted = JSON.stringify(files);
    if (wanted !== this.#files) {
      this.#files = wanted;
      this.#snapshot = files.length === 0 ? undefined : await this.#freshState(files, watch);
      this.#isUnknown = false;
      if (this.#snapshot !== undefined) used.set(this.#key, { files: wanted, snapshot: this.#snapshot });
      if (builder.unknown !== undefined && builder.unknown.size > 0) return false;
      return this.#snapshot === undefined || (await this.#isUnchanged(this.#snapshot, builder));
    }
    for (const [what, problem] of builder.lostState) {
      const how = builder.state?.describe(what) ?? '';
      this.#lost.set(what, {
        path: what,
        what: `${how}; a replica has what was there when it was loaded, as what is there now can't travel: ${problem.path}, ${problem.what}`,
        fix: 'set it in `setup` too, which runs in the replica',
      });
    }
    return builder.lostState.size === 0;
  }

  async #freshState(files: readonly LoadedFile[], watch: CaptureWatch): Promise<Snapshot | undefined> {
    try {
      return await freshState(files, watch);
    } catch (error) {
      watch.signal?.throwIfAborted();
      const names = [...new Set(files.map(({ file }) => packageNameOf(file)))].join(', ');
      this.#lost.set(names, {
        path: names,
        what: `could not be loaded once more, to see what was changed in this process: ${messageOf(error)}`,
        fix: 'set in `setup` what you set in there',
      });
      return undefined;
    }
  }

  async #isUnchanged(snapshot: Snapshot, builder: GraphBuilder): Promise<boolean> {
    const { origins } = builder.sources;
    let comparison = new Comparison(builder.sources, snapshot);
    if (origins.wanted.size > 0) {
      await origins.learnNamespaces();
      comparison = new Comparison(builder.sources, snapshot);
    }
    return comparison.differences.every(
      (difference) => difference.type === 'weak' && difference.entries.every(({ key }) => builder.known(key) === undefined),
    );
  }
}
