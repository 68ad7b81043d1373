import { SupervisedReplica } from '../../src/replicas/supervised-replica.ts';

let now = 1_000_000;
let clock: jest.SpyInstance;

beforeEach(() => {
  clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
});

afterEach(() => clock.mockRestore());

describe.each([true, false])('a replica whose connecting is untold: %s', (isUnheard) => {
  /** Lives this long, and dies. */
  const die = (replica: SupervisedReplica, afterMs: number): void => {
    replica.begin('m-1-0');
    now += afterMs;
    replica.noteDeath();
  };

  test('is hopeless if it died six times at once, and waits longer each time', () => {
    const replica = new SupervisedReplica({ isUnheard });
    const delays: number[] = [];
    for (let death = 1; death <= 6; death++) {
      expect(replica.isHopeless).toBe(false);
      die(replica, 0);
      delays.push(replica.nextDelayMs());
    }
    expect([replica.isHopeless, delays]).toEqual([true, [100, 200, 400, 800, 1_600, 3_200]]);
  });

  test('has served if it lived for long, unless it could be told that it never connected', () => {
    const replica = new SupervisedReplica({ isUnheard });
    for (let death = 1; death <= 6; death++) die(replica, 60_000);
    expect(replica.isHopeless).toBe(!isUnheard);
  });
});
