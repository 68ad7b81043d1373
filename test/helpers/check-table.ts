// Takes every case through the built package with plain tsx and prints those that did not return what is expected.
import { isDeepStrictEqual } from 'node:util';
import { bundleClosure } from 'clipper-ts';
import { closureCases } from '../fixtures/closures/all.ts';
import { roundTrip } from './round-trip.ts';

void roundTrip(closureCases, bundleClosure).then((outcomes) => {
  const wrong = closureCases.filter(({ name, expected }) => !isDeepStrictEqual(outcomes[name], { returned: expected }));
  for (const { name, expected } of wrong) {
    console.log(`${name}\n  expected ${JSON.stringify(expected)}\n  got ${JSON.stringify(outcomes[name])}`);
  }
  console.log(`${process.version}: ${closureCases.length - wrong.length} of ${closureCases.length} closures as expected`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
});
