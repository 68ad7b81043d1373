import { appendFileSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogFile, sweepLogs } from '../../src/replicas/process/log-file.ts';
import { deferred } from '../../src/util/deferred.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';
import { until } from '../helpers/until.ts';

const follow = (log: LogFile, tailLines = 10) => {
  const seen: string[] = [];
  const ended = deferred<void>();
  const following = (async () => {
    for await (const line of log.follow({ tailLines, ended: ended.promise, signal: new AbortController().signal }))
      seen.push(line);
  })();
  const end = async (): Promise<void> => {
    ended.resolve();
    await following;
  };
  return { seen, end };
};

test('a line is told when it is whole, and what is left at the end too', async () => {
  await using dir = await temporaryDir();
  const log = new LogFile(join(dir.path, 'log'));
  writeFileSync(log.path, 'one\ntwo\nthr');
  const { seen, end } = follow(log, 1);
  await until(() => seen.length === 1, 'a line');
  const last = Buffer.from('ee é');
  appendFileSync(log.path, last.subarray(0, -1));
  expect(await log.tail(2)).toEqual(['two', expect.stringMatching(/^three /)]);
  appendFileSync(log.path, last.subarray(-1));
  appendFileSync(log.path, '\nrest');
  await until(() => seen.length === 2, 'another line');
  await end();
  expect(seen).toEqual(['two', 'three é', 'rest']);
});

test('one that is trimmed meanwhile loses and repeats no line for who follows it', async () => {
  await using dir = await temporaryDir();
  const log = new LogFile(join(dir.path, 'log'));
  let written = 0;
  const write = (count: number): void => {
    appendFileSync(log.path, Array.from({ length: count }, () => `${String(written++).padStart(999, '.')}\n`).join(''));
  };
  write(10);
  const { seen, end } = follow(log);
  await until(() => seen.length === 10, 'the first lines');
  write(70_000);
  await until(() => seen.length === written, 'all lines', 20_000);
  await log.trim();
  expect(statSync(log.path).size).toBe(2 ** 20);
  write(5);
  await until(() => seen.length === written, 'the new lines');
  await end();
  expect(seen.findIndex((line, index) => Number(line.replaceAll('.', '')) !== index)).toBe(-1);
});

test('logs of replicas of an earlier server go when nothing was written to them for a day', async () => {
  await using dir = await temporaryDir();
  for (const name of ['old', 'new']) {
    mkdirSync(join(dir.path, name));
    writeFileSync(join(dir.path, name, 'log'), 'line\n');
  }
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  utimesSync(join(dir.path, 'old', 'log'), longAgo, longAgo);
  await sweepLogs(dir.path);
  expect(readdirSync(dir.path)).toEqual(['new']);
});
