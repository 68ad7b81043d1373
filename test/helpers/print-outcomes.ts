// Takes every case through the built package, as a user's program in whatever module format would.
import { bundleClosure } from 'clipper-ts';
import { closureCases } from '../fixtures/closures/all.ts';
import { roundTrip } from './round-trip.ts';

void roundTrip(closureCases, bundleClosure).then((outcomes) => process.stdout.write(JSON.stringify(outcomes)));
