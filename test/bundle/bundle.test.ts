import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bundleClosure, storeBundle } from '../../src/bundle/bundle.ts';
import { captureClosure } from '../../src/closure/capture-closure.ts';
import { packageDir } from '../../src/util/package-files.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

const weights = new Float32Array(50_000).fill(0.5);
const scale = (factor: number) => (x: number) => x * factor * (weights[0] ?? 0);

describe('a bundle', () => {
  test('is the same for the same closure, and another for another', async () => {
    await using dir = await temporaryDir();
    const first = await bundleClosure(scale(2), { outDir: join(dir.path, 'a') });
    const again = await bundleClosure(scale(2), { outDir: join(dir.path, 'b') });
    const other = await bundleClosure(scale(3), { outDir: join(dir.path, 'c') });
    expect(again.digest).toBe(first.digest);
    expect(other.digest).not.toBe(first.digest);
    expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  test('is the same from another process', async () => {
    await using dir = await temporaryDir();
    const program = `
      const { bundleClosure } = require(${JSON.stringify(packageDir)});
      const state = { list: [1, { a: new Map([[1, new Set(['x'])]]) }], when: new Date(0) };
      const helper = (x) => x + state.list.length;
      bundleClosure((x) => helper(x) + state.when, { outDir: process.argv[1] }).then(({ digest }) => console.log(digest));
    `;
    const digests = ['a', 'b'].map((name) =>
      execFileSync(process.execPath, ['-e', program, join(dir.path, name)], { encoding: 'utf8' }),
    );
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/m);
    expect(digests[1]).toBe(digests[0]);
  });

  test('is the same when several are made at once', async () => {
    await using dir = await temporaryDir();
    const names = ['a', 'b', 'c'];
    const bundles = await Promise.all(names.map((name) => bundleClosure(scale(2), { outDir: join(dir.path, name) })));
    expect(new Set(bundles.map(({ digest }) => digest)).size).toBe(1);
  });

  test('holds large binary data as files of their own, byte for byte', async () => {
    await using dir = await temporaryDir();
    const bundle = await bundleClosure(scale(1), { outDir: dir.path });
    const asset = bundle.files.find(({ path }) => path === 'assets/0.bin');
    expect(asset?.bytes).toBe(weights.byteLength);
    expect(readFileSync(join(bundle.dir, 'assets/0.bin')).equals(Buffer.from(weights.buffer))).toBe(true);
    expect(statSync(bundle.entry).size).toBeLessThan(2_000);
  });

  test('says truly what its files are', async () => {
    await using dir = await temporaryDir();
    const { files, dir: bundleDir } = await bundleClosure(scale(1), { outDir: dir.path });
    for (const { path, bytes, sha256 } of files) {
      const contents = readFileSync(join(bundleDir, path));
      expect([contents.length, createHash('sha256').update(contents).digest('hex')]).toEqual([bytes, sha256]);
    }
  });

  test('takes the place of an older one in the same folder', async () => {
    await using dir = await temporaryDir();
    await bundleClosure(scale(1), { outDir: dir.path });
    await bundleClosure(() => 1, { outDir: dir.path });
    expect(existsSync(join(dir.path, 'assets/0.bin'))).toBe(false);
  });

  test.each([
    [{}, 'outDir'],
    [{ outDir: 3 }, 'outDir'],
    [{ outDir: '/tmp/x', outdir: 'y' }, 'outdir'],
  ])('refuses options %j', async (options, named) => {
    await expect(bundleClosure(() => 1, options as never)).rejects.toMatchObject({
      code: 'E_INVALID_OPTION',
      message: expect.stringContaining(named),
    });
  });
});

describe('the store of bundles', () => {
  test('keeps one folder for each digest and no drafts', async () => {
    await using dir = await temporaryDir();
    const captured = await captureClosure(scale(2));
    const stored = await Promise.all([1, 2].map(() => storeBundle(captured, { storeDir: dir.path, takes: 'batch' })));
    expect(readdirSync(dir.path)).toEqual([stored[0]?.digest]);
    expect(existsSync(stored[1]?.entry ?? '')).toBe(true);
  });

  test('leaves nothing behind when it is cancelled', async () => {
    await using dir = await temporaryDir();
    const captured = await captureClosure(scale(2));
    await expect(storeBundle(captured, { storeDir: dir.path, takes: 'batch', signal: AbortSignal.abort() })).rejects.toThrow();
    expect(readdirSync(dir.path)).toEqual([]);
  });
});
