import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { answerBatch, answerEach } from './answers.ts';
import type { FeedbackFunction } from './feedback.ts';
import type { Answerer } from './model-container.ts';

/** The part of a bundle's manifest that the runtime reads. */
interface Manifest {
  readonly entry: string;
  /** Whether the function takes a batch of inputs or one input. */
  readonly takes: 'batch' | 'one';
}

/** The exports of a bundle's entry module. */
interface Entry {
  readonly default: (inputs: unknown, context: unknown) => unknown;
  readonly setup?: () => unknown;
  readonly feedback?: (input: unknown, label: number, context: unknown) => unknown;
}

/** The functions of a bundle, ready to be called. */
export interface LoadedBundle {
  readonly answers: Answerer;
  readonly feedback: FeedbackFunction | undefined;
}

/** Loads the functions of a bundle and runs its `setup`. Every call gets the result of `setup`. */
export async function loadBundle(dir: string): Promise<LoadedBundle> {
  const manifest = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')) as Manifest;
  // Stack traces then point to the user's original files.
  process.setSourceMapsEnabled(true);
  const entry = (await import(pathToFileURL(join(dir, manifest.entry)).href)) as Entry;
  const predict = entry.default;
  const context = await entry.setup?.();
  const answers: Answerer =
    manifest.takes === 'one'
      ? (_type, inputs) => answerEach((input) => predict(input, context), inputs)
      : (_type, inputs) => answerBatch((batch) => predict(batch, context), inputs);
  const { feedback } = entry;
  return { answers, feedback: feedback && ((input, label) => feedback(input, label, context)) };
}
