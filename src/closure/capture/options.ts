import { z } from '../../util/zod.ts';

export const secretsOption = z
  .enum(['warn', 'refuse', 'allow'])
  .default('warn')
  .describe('What to do about captured values that look like credentials.');

/** The schema of CaptureOptions. */
export const CaptureOptions = z.strictObject({ secrets: secretsOption });
/** Options of a capture. */
export interface CaptureOptions {
  /** What to do about captured values that look like credentials. Default: `warn`. */
  readonly secrets?: 'warn' | 'refuse' | 'allow';
}

/** Reports the progress of a capture and cancels it. */
export interface CaptureWatch {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (message: string) => void;
}
