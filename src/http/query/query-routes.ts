import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { inputBytes } from '../../contract/json-input.ts';
import type { Registry } from '../../control/registry.ts';
import { ClipperError } from '../../errors.ts';
import { clipperReport } from '../../metrics/clipper-report.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { prometheusText } from '../../metrics/prometheus.ts';
import type { Feedback, StoredFeedback } from '../../serving/feedback.ts';
import type { QueryFrontend } from '../../serving/query-frontend.ts';
import { hasKeys, withKey } from '../api-keys.ts';
import { refusePages } from '../page-guard.ts';
import { describeFailure } from './print-answers.ts';
import { parseObject } from './request-body.ts';

type ForApplication = FastifyRequest<{ Params: { application: string } }>;
type ForQuery = FastifyRequest<{ Params: { application: string; id: string } }>;

export interface QueryServices {
  readonly registry: Registry;
  readonly frontend: QueryFrontend;
  readonly metrics: Metrics;
  readonly feedback: Feedback;
}

export interface QueryRoutes extends QueryServices {
  /** Whether only this machine reaches the port. */
  readonly isLocal: boolean;
}

/** Clipper's query REST other than predictions: feedback and metrics; and our list of failed queries. */
export function addQueryRoutes(server: FastifyInstance, { registry, frontend, metrics, feedback, isLocal }: QueryRoutes): void {
  server.post('/:application/update', async ({ params, body, headers }: ForApplication, reply) => {
    const application = withKey(registry.knownApplication(params.application), headers);
    refusePages(headers, isLocal && !hasKeys(application));
    const given = readFeedback(parseObject(body));
    await feedback.receive(application, given, inputBytes(application.inputType, given.input));
    return reply.type('text/plain; charset=utf-8').send('Feedback received? 1');
  });
  server.get('/:application/queries', ({ params, headers }: ForApplication) => {
    const { name } = withKey(registry.knownApplication(params.application), headers);
    return frontend.failures.of(name).map(describeFailure);
  });
  server.get('/:application/queries/:id', ({ params, headers }: ForQuery) => {
    const { name } = withKey(registry.knownApplication(params.application), headers);
    const failure = frontend.failures.find(name, Number(params.id));
    if (failure !== undefined) return describeFailure(failure);
    const message = `Of query ${params.id} of '${name}' nothing is known: only the latest default outputs are kept`;
    throw new ClipperError('E_UNKNOWN_QUERY', message);
  });
  server.get('/metrics', (request, reply) => sendMetrics({ metrics, frontend }, request, reply));
}

/** Prometheus' text, or Clipper's JSON for clients that ask for it. */
export async function sendMetrics(
  { metrics, frontend }: Pick<QueryServices, 'metrics' | 'frontend'>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { accept = '', 'user-agent': agent = '' } = request.headers;
  // Clipper's Python client expects JSON without asking for it.
  if (accept.includes('application/json') || agent.startsWith('python-requests/')) return reply.send(clipperReport(metrics));
  return reply.type('text/plain; version=0.0.4; charset=utf-8').send(await prometheusText(metrics, frontend));
}

function readFeedback({ uid, input, label }: Record<string, unknown>): Omit<StoredFeedback, 'time'> {
  // JSON.parse reads 1e999 as Infinity, which JSON can't write.
  const isInfinite = (value: unknown): boolean => Math.abs(value as number) === Number.POSITIVE_INFINITY;
  if (typeof uid !== 'number' || typeof label !== 'number' || [uid, label, input].flat().some(isInfinite)) {
    throw new ClipperError('E_INVALID_INPUT', 'Feedback must hold the numbers "uid" and "label", and "input", all finite');
  }
  return { uid, input, label };
}
