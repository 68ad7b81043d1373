import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LoadedFile } from '../graph/closure.ts';

// A program: loads modules of packages in a process that has nothing else, and writes their state to descriptor 3.

const load = createRequire(join(import.meta.dirname, 'program.js'));

async function main(files: readonly LoadedFile[]): Promise<void> {
  for (const { file, isModule } of files) {
    // A module that fails here is left out of the comparison, and fails in the replica with its own message.
    try {
      // A module's exports may have a `then`, which must not be called.
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
