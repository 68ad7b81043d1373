// Imports bundles of graphs in a fresh process and prints what they are like.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { describeGraph } from './describe-graph.cjs';

const described = [];
for (const entry of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const { default: restored } = await import(pathToFileURL(entry).href);
  described.push(describeGraph(restored()));
}
process.stdout.write(JSON.stringify(described));
