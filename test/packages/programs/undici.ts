import { Agent, getGlobalDispatcher, MockAgent, setGlobalDispatcher } from 'undici';
const agent = new Agent({ connections: 1 });
export const inputs = ['a'];
export const predictOne = (s: string) => [agent.closed, s];
export const fixed = {
  setup: () => ({ agent: new Agent({ connections: 1 }) }),
  predictOne: (s: string, { agent }: { agent: Agent }) => [agent.closed, s],
};
void [getGlobalDispatcher, MockAgent, setGlobalDispatcher];
