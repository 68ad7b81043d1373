import { stat } from 'node:fs/promises';
import { messageOf } from '../errors.ts';

/** Each file's modification time and size; for an unreadable file, the reason. */
export const stampsOf = (files: readonly string[]): Promise<readonly string[]> =>
  Promise.all(files.map((file) => stat(file).then(({ mtimeMs, size }) => `${mtimeMs} ${size}`, messageOf)));
