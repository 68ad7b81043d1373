import { createMachine, getInitialSnapshot, getNextSnapshot } from 'xstate';
const machine = createMachine({
  id: 'door',
  initial: 'closed',
  states: { closed: { on: { OPEN: 'open' } }, open: { on: { CLOSE: 'closed' } } },
});
const start = getInitialSnapshot(machine);
export const inputs = ['OPEN', 'CLOSE'];
export const predictOne = (s: string) => [start.value, getNextSnapshot(machine, start, { type: s } as any).value];
