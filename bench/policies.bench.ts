// Batch-size policies against simulated replicas, in simulated time: answers a second that came within the objective.
import { ReplicaMetrics } from '../src/metrics/counted.ts';
import type { RpcReplica } from '../src/rpc/rpc-replica.ts';
import { Admission } from '../src/serving/admission.ts';
import { additiveIncrease, type BatchSizePolicy, latencyBound } from '../src/serving/batch-size.ts';
import type { Computation } from '../src/serving/computation.ts';
import type { LatencyModel } from '../src/serving/latency-model.ts';
import { ReplicaSlot } from '../src/serving/replica-slot.ts';
import { WaitingLine } from '../src/serving/waiting-line.ts';
import { fixed, printTable, quantile } from './statistics.ts';

/** How long a replica takes for a batch, and what it is asked. */
interface Scenario {
  readonly name: string;
  readonly sloMs: number;
  /** Queries a second; they come one by one, at random. */
  readonly rate: number;
  readonly latencyMs: (size: number, second: number) => number;
}

let seed = 1;
const random = (): number => {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed / 2_147_483_647;
};
/** One batch of a hundred takes three times as long, as with a garbage collection. */
const noisy = (ms: number): number => ms * (random() < 0.01 ? 3 : 0.95 + 0.1 * random());

const scenarios: readonly Scenario[] = [
  { name: '2 ms a batch, 20 ms, 8,000/s', sloMs: 20, rate: 8_000, latencyMs: () => noisy(2) },
  { name: '1 ms + 0.1 ms an input, 20 ms, 4,000/s', sloMs: 20, rate: 4_000, latencyMs: (size) => noisy(1 + 0.1 * size) },
  { name: 'the same at 8,000/s', sloMs: 20, rate: 8_000, latencyMs: (size) => noisy(1 + 0.1 * size) },
  { name: 'the same at 16,000/s', sloMs: 20, rate: 16_000, latencyMs: (size) => noisy(1 + 0.1 * size) },
  { name: '5 ms + 1 ms an input, 100 ms, 800/s', sloMs: 100, rate: 800, latencyMs: (size) => noisy(5 + size) },
  { name: 'the same at 1,600/s', sloMs: 100, rate: 1_600, latencyMs: (size) => noisy(5 + size) },
  {
    name: 'twice as slow after 10 s, 50 ms, 4,000/s',
    sloMs: 50,
    rate: 4_000,
    latencyMs: (n, s) => noisy((s < 10 ? 1 : 2) * (1 + 0.1 * n)),
  },
];
const seconds = 20;

/** One replica, with the queue and the admission of the server. */
function simulate({ sloMs, rate, latencyMs }: Scenario, policyOf: (model: LatencyModel) => BatchSizePolicy) {
  const replica = { replicaId: 0, maxInFlight: 1 } as RpcReplica;
  const slot = new ReplicaSlot(replica, policyOf, new ReplicaMetrics());
  const waiting = new WaitingLine<Computation>();
  const admission = new Admission(waiting, () => [slot]);
  const latencies: number[] = [];
  const application = {};
  let [now, arrival, late, shed] = [0, 0, 0, 0];
  const arrive = (): void => {
    for (; arrival <= now; arrival += (-Math.log(1 - random()) * 1_000) / rate) {
      const [receivedAt, deadline] = [arrival, arrival + sloMs];
      const query: Computation = {
        ...{ application, receivedAt, deadline, lastDeadline: deadline },
        ...{ input: new Uint8Array(), copies: 0, inFlight: undefined, isRetried: false, isWanted: true },
        finish: () => void shed++,
      };
      admission.admit(query, arrival);
    }
  };
  while (now < seconds * 1_000) {
    arrive();
    const before = shed;
    const batch = admission.takeBatch(slot, now);
    if (batch.length === 0) {
      if (shed === before) now = arrival;
      continue;
    }
    const trip = slot.begin(batch.length, now);
    const ms = latencyMs(batch.length, now / 1_000);
    const began = now;
    // Queries that come meanwhile find the replica at work.
    for (now = Math.min(arrival, began + ms); now < began + ms; now = Math.min(arrival, began + ms)) arrive();
    slot.answered(trip, { earliest: batch[0]?.deadline ?? 0, objectiveMs: sloMs, computeMicros: undefined }, now);
    slot.end(trip, false, now);
    for (const { receivedAt } of batch) {
      latencies.push(now - receivedAt);
      if (now - receivedAt > sloMs) late++;
    }
  }
  return { goodput: (latencies.length - late) / seconds, late: late / latencies.length, p99: quantile(latencies, 0.99) };
}

const policies: Readonly<Record<string, (model: LatencyModel) => BatchSizePolicy>> = {
  'additive increase': () => additiveIncrease(),
  'bound by latency': latencyBound,
};
const rows = scenarios.flatMap((scenario) =>
  Object.entries(policies).map(([name, policyOf]) => {
    seed = 1;
    const { goodput, late, p99 } = simulate(scenario, policyOf);
    return [`${scenario.name}: ${name}`, fixed(goodput, 0), `${fixed(100 * late)} %`, fixed(p99, 1)];
  }),
);
printTable([['', 'in time/s', 'computed too late', 'p99 ms'], ...rows]);
