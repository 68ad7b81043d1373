import { appendFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FeedbackStore } from '../../src/serving/feedback-store.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

async function lines(store: FeedbackStore, application = 'a'): Promise<unknown[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(application)) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
}

const numbered = (count: number, from = 0): { n: number }[] => Array.from({ length: count }, (_, index) => ({ n: from + index }));

test('records come back in order, those of each application apart', async () => {
  await using dir = await temporaryDir();
  const store = new FeedbackStore(join(dir.path, 'made', 'when', 'needed'));
  await Promise.all(numbered(100).map((record) => store.append('a', record)));
  await store.append('b', { text: 'ü\n\u2028' });
  expect(await lines(store)).toEqual(numbered(100));
  expect(await lines(store, 'b')).toEqual([{ text: 'ü\n\u2028' }]);
  expect(await lines(store, 'c')).toEqual([]);
});

test('two files are kept, of a size at most: the oldest records go first', async () => {
  await using dir = await temporaryDir();
  const store = new FeedbackStore(dir.path, 1_000);
  for (let from = 0; from < 1_000; from += 100) await Promise.all(numbered(100, from).map((record) => store.append('a', record)));
  const kept = (await lines(store)) as { n: number }[];
  expect(kept).toEqual(numbered(kept.length, 1_000 - kept.length));
  // Each line has 10 bytes: one file is full, the other not empty.
  expect(kept.length).toBeGreaterThan(100);
  for (const name of await readdir(dir.path)) expect((await stat(join(dir.path, name))).size).toBeLessThanOrEqual(1_000);
  expect((await readdir(dir.path)).sort()).toEqual(['a.jsonl', 'a.older.jsonl']);
  await expect(store.append('a', { text: 'x'.repeat(1_000) })).rejects.toMatchObject({ code: 'E_BODY_TOO_LARGE' });
});

test('a reader sees whole lines, as they were when it began, whatever happens meanwhile', async () => {
  await using dir = await temporaryDir();
  const store = new FeedbackStore(dir.path, 100_000);
  await Promise.all(numbered(15_000).map((record) => store.append('a', record)));
  const before = await lines(store);
  const reading = store.read('a');
  const first = await reading.next();
  await Promise.all(numbered(15_000, 15_000).map((record) => store.append('a', record)));
  await store.delete('a');
  const chunks = [first.value as Buffer];
  for await (const chunk of reading) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe(before.map((record) => `${JSON.stringify(record)}\n`).join(''));
});

test('a deleted application leaves nothing, and begins anew', async () => {
  await using dir = await temporaryDir();
  const store = new FeedbackStore(dir.path, 100);
  const written = Promise.all(numbered(50).map((record) => store.append('a', record)));
  await store.delete('a');
  await written;
  expect(await readdir(dir.path)).toEqual([]);
  await store.append('a', { n: 0 });
  expect(await lines(store)).toEqual([{ n: 0 }]);
});

test('what was asked for is written when it closes; a later one goes on, without a line that was cut off', async () => {
  await using dir = await temporaryDir();
  const store = new FeedbackStore(dir.path);
  void store.append('a', { n: 0 });
  void store.append('a', { n: 1 });
  await store.close();
  await appendFile(join(dir.path, 'a.jsonl'), '{"n":');
  const later = new FeedbackStore(dir.path);
  expect(await lines(later)).toEqual(numbered(2));
  await later.append('a', { n: 2 });
  expect(await lines(later)).toEqual(numbered(3));
});
