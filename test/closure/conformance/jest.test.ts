import { bundleClosure } from '../../../src/bundle/bundle.ts';
import { closureCases } from '../../fixtures/closures/all.ts';
import { describeTable } from '../../helpers/conformance.ts';
import { roundTrip } from '../../helpers/round-trip.ts';

const cases = closureCases.filter(({ searchesHeap }) => searchesHeap !== true);
describeTable('under jest', () => roundTrip(cases, bundleClosure), cases);
