import yoctoSpinner, { type Spinner } from 'yocto-spinner';
import { ClipperError } from '../errors.ts';

/** The beginning of a stage of a deploy, or a warning. */
export interface ProgressEvent {
  readonly stage: 'capture' | 'bundle' | 'image' | 'start' | 'ready';
  readonly message: string;
  /** Since the deploy began, in milliseconds. */
  readonly elapsedMs: number;
}

/** Called with each step of a deploy or build. */
export type OnProgress = (event: ProgressEvent) => void;

/** Reports a deploy's stages: to `onProgress`, or with a spinner on a terminal and plain lines elsewhere. */
export class Progress implements Disposable {
  readonly #beganAt = performance.now();
  readonly #onProgress: OnProgress | undefined;
  readonly #what: string;
  #spinner: Spinner | undefined;

  constructor(what: string, onProgress: OnProgress | undefined) {
    this.#what = what;
    this.#onProgress = onProgress;
  }

  report(stage: ProgressEvent['stage'], message: string): void {
    const elapsedMs = performance.now() - this.#beganAt;
    if (this.#onProgress !== undefined) this.#onProgress({ stage, message, elapsedMs });
    else if (process.stderr.isTTY) this.#spin(stage, message, elapsedMs);
    else process.stderr.write(`clipper: ${this.#what}: ${message} (${elapsedMs.toFixed(0)} ms)\n`);
  }

  /** Warns without stopping the deploy, on a line that no spinner overwrites. */
  warn(stage: ProgressEvent['stage'], message: string): void {
    const elapsedMs = performance.now() - this.#beganAt;
    if (this.#onProgress !== undefined) return this.#onProgress({ stage, message, elapsedMs });
    this.#spinner?.clear();
    process.stderr.write(`clipper: ${this.#what}: ${message}\n`);
  }

  /** Ends the spinner of a failed deploy; a finished one has ended it already. */
  [Symbol.dispose](): void {
    this.#spinner?.error(`${this.#what}: failed`);
    this.#spinner = undefined;
  }

  #spin(stage: ProgressEvent['stage'], message: string, elapsedMs: number): void {
    this.#spinner ??= yoctoSpinner({ stream: process.stderr }).start();
    this.#spinner.text = `${this.#what}: ${message}`;
    if (stage !== 'ready') return;
    this.#spinner.success(`${this.#what}: ${message} (${elapsedMs.toFixed(0)} ms)`);
    this.#spinner = undefined;
  }
}

/** Throws E_CANCELLED if the caller gave up. */
export function cancelledIf(signal: AbortSignal | undefined, name: string): void {
  if (signal?.aborted === true) throw new ClipperError('E_CANCELLED', `The deploy of ${name} was cancelled`);
}
