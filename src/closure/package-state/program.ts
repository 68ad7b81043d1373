import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LoadedFile } from '../graph/closure.ts';

// Loads modules of packages in a process that has loaded nothing else, and writes their state to file descriptor 3.

const load = createRequire(join(import.meta.dirname, 'program.js'));

async function main(files: readonly LoadedFile[]): Promise<void> {
  for (const { file, isModule } of files) {
    // A module that fails here is left out of the comparison. In the replica it fails with its own message.
    try {
      // Don't await CommonJS exports: they may have a `then` method, which must not be called.
      if (isModule) await import(pathToFileURL(file).href);
      else load(file);
    } catch {}
  }
  const common = { ...load.cache };
  // Loaded after the packages, since it has dependencies of its own.
  const { takeSnapshot } = await import('./take-snapshot.ts');
  const text = Buffer.from(JSON.stringify(await takeSnapshot(common)));
  for (let offset = 0; offset < text.length; ) offset += writeSync(3, text, offset);
}

main(JSON.parse(process.argv.at(-1) ?? '[]')).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
