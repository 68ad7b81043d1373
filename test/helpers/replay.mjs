// Imports bundles in a fresh process, calls their functions and prints what they return.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

// As the runtime of a replica does.
process.setSourceMapsEnabled(true);
const results = {};
for (const { name, entry, args } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  try {
    const { default: restored } = await import(pathToFileURL(entry).href);
    results[name] = { returned: await restored(...args) };
  } catch (error) {
    results[name] = { threw: error.stack };
  }
}
process.stdout.write(JSON.stringify(results));
