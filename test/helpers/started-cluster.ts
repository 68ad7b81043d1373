import { randomUUID } from 'node:crypto';
import type { ClipperConnection } from '../../src/client/connection.ts';
import { type StartOptions, startClipper } from '../../src/client/start.ts';

/** A cluster of its own, in a process of its own, on free ports and of a name that no other has. */
export const startedCluster = (options: StartOptions = {}): Promise<ClipperConnection> =>
  startClipper({ name: `test-${randomUUID()}`, queryPort: 0, managementPort: 0, rpcPort: 0, ...options });

/** For deploys whose progress nobody looks at. */
export const quiet = { onProgress: () => {} };

/** Waits until a condition holds; fails after ten seconds. */
export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('the condition did not come to hold');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
