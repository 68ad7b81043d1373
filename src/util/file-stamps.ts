import { stat } from 'node:fs/promises';
import { messageOf } from '../errors.ts';

/** When each file was written, and how large it is; of one that is missing, why. */
export const stampsOf = (files: readonly string[]): Promise<readonly string[]> =>
  Promise.all(files.map((file) => stat(file).then(({ mtimeMs, size }) => `${mtimeMs} ${size}`, messageOf)));
