import type { Answerer } from '../../runtime/model-container.ts';
import type { Cluster, Reply } from './cluster.ts';

/** An answer to one query over HTTP. */
export interface Asked {
  readonly output: unknown;
  /** Undefined where there is a prediction. */
  readonly reason: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: what `?explain=1` adds
  readonly explain: any;
  readonly queryId: number;
  readonly ms: number;
}

/** Queries an application with one number. */
export async function ask(cluster: Cluster, app: string, value: number, version?: string): Promise<Asked> {
  const start = performance.now();
  const { json, status, text } = await cluster.query(`/${app}/predict?explain=1`, { input: [value], version });
  if (status !== 200) throw new Error(`Answered ${status}: ${text}`);
  const { output, default_reason: reason, explain, query_id: queryId } = json as Reply['json'];
  return { output, reason, explain, queryId, ms: performance.now() - start };
}

/** Asks at a steady rate for a while, whatever the answers do; each query has another number, counted from `first`. */
export async function askSteadily(
  cluster: Cluster,
  app: string,
  { perSecond, seconds, first = 0 }: { readonly perSecond: number; readonly seconds: number; readonly first?: number },
): Promise<readonly Asked[]> {
  const start = performance.now();
  const asked: Promise<Asked>[] = [];
  while (asked.length < perSecond * seconds) {
    const due = Math.min(perSecond * seconds, ((performance.now() - start) / 1_000) * perSecond);
    while (asked.length < due) asked.push(ask(cluster, app, first + asked.length));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return Promise.all(asked);
}

/** Answers with the number that was asked with, after a text, once `work` has been waited for. */
export function answering(prefix = '', work: (values: readonly number[]) => Promise<void> = async () => {}): Answerer {
  return async (_type, inputs) => {
    const values = (inputs as readonly Float64Array[]).map(([value = 0]) => value);
    await work(values);
    return values.map((value) => ({ text: `${prefix}${value}`, failed: false }));
  };
}

/** A counter in the Prometheus text, summed over its labels. */
export async function metric(cluster: Cluster, name: string): Promise<number> {
  const { text } = await cluster.get('query', '/metrics');
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
