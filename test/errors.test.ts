import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { ClipperError, errorCodes, errorOfMessage, isClipperError } from '../src/errors.ts';
import { packageDir } from '../src/util/package-files.ts';

test('the documentation has every error code, and no other', () => {
  const text = readFileSync(join(packageDir, 'docs', 'errors.md'), 'utf8');
  const documented = [...text.matchAll(/^### (E_\w+)$/gm)].map(([, code]) => code);
  expect(documented.sort()).toEqual([...errorCodes].sort());
});

test('a fix is the last line of the message, and a field of its own', () => {
  const error = new ClipperError('E_BUNDLE_FAILED', 'No npm is found.', { fix: 'install npm', cause: 'why' });
  expect(error.message).toBe('No npm is found.\n  Fix: install npm');
  expect([error.summary, error.fix, error.cause]).toEqual(['No npm is found.', 'install npm', 'why']);
  expect(errorOfMessage('E_BUNDLE_FAILED', error.message)).toMatchObject({ message: error.message, fix: 'install npm' });
  expect(errorOfMessage('E_CANCELLED', 'Stopped')).toMatchObject({ message: 'Stopped', fix: undefined });
  expect(new ClipperError('E_CANCELLED', 'Stopped')).toMatchObject({ message: 'Stopped', summary: 'Stopped', fix: undefined });
});

test('an error is recognised across realms by its brand', () => {
  const error = new ClipperError('E_CANCELLED', 'stopped');
  expect(isClipperError(error)).toBe(true);
  expect(isClipperError(runInNewContext('new Error("other")'))).toBe(false);
  expect([error.status, error.retryable]).toEqual([499, true]);
});
