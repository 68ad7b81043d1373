import seedrandom from 'seedrandom';
const random = seedrandom('x', { state: true });
random();
const state = random.state();
export const inputs = ['a'];
export const predictOne = (s: string) => [seedrandom('', { state })(), seedrandom(s)()];
