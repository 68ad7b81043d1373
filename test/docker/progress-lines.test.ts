import { Readable } from 'node:stream';
import { followLines } from '../../src/docker/progress-lines.ts';

const follow = async (chunks: readonly string[]) => {
  const lines: string[] = [];
  const results = await followLines(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), (line) => lines.push(line));
  return { lines, results };
};

test('lines are told as they come, however they are cut, and once where they repeat', async () => {
  const { lines, results } = await follow([
    '{"stream":"Step 1/2 : FROM scratch\\n"}\r\n{"status":"Pul',
    'ling","id":"abc"}\n{"status":"Pulling","id":"abc"}\n',
    '{"aux":{"ID":"sha256:1"}}',
  ]);
  expect(lines).toEqual(['Step 1/2 : FROM scratch', 'abc: Pulling']);
  expect(results).toEqual([{ ID: 'sha256:1' }]);
});

test('an error line is an error, though the answer said that all was well', async () => {
  await expect(
    follow(['{"stream":"ok"}\n{"errorDetail":{"message":"no space left"},"error":"no space left"}\n']),
  ).rejects.toThrow('no space left');
});
