import { isHopeless, newSupervisedReplica, nextDelayMs, noteDeath } from '../../src/replicas/supervised-replica.ts';

describe.each([true, false])('a replica whose connecting is untold: %s', (isUnheard) => {
  test('is hopeless where it died six times at once, and waits longer each time', () => {
    const member = newSupervisedReplica({ isUnheard });
    const delays: number[] = [];
    for (let death = 1; death <= 6; death++) {
      expect(isHopeless(member)).toBe(false);
      member.startedAt = performance.now();
      noteDeath(member);
      delays.push(nextDelayMs(member));
    }
    expect([isHopeless(member), delays]).toEqual([true, [100, 200, 400, 800, 1_600, 3_200]]);
  });

  test('has served where it lived for long, unless it could be told that it never connected', () => {
    const member = newSupervisedReplica({ isUnheard });
    for (let death = 1; death <= 6; death++) {
      member.startedAt = performance.now() - 60_000;
      noteDeath(member);
    }
    expect(isHopeless(member)).toBe(!isUnheard);
  });
});
