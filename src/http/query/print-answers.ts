import type { Answer, Timeline } from '../../serving/query.ts';
import type { FailedQuery } from '../../serving/recent-failures.ts';

/** Answers in Clipper's JSON. A batch of one is answered as a single input. */
export function printAnswers(answers: readonly Answer[], isExplained: boolean): string {
  const [first] = answers;
  if (first !== undefined && answers.length === 1) return printAnswer(first, isExplained);
  return `{"batch_predictions":[${answers.map((answer) => printAnswer(answer, isExplained)).join(',')}]}`;
}

function printAnswer(answer: Answer, isExplained: boolean): string {
  const { queryId, output, fallback } = answer;
  const head = `{"query_id":${queryId},"output":${asJson(output)},"default":${fallback !== undefined}`;
  const explained = isExplained ? `,"explain":${JSON.stringify(explain(answer))}` : '';
  if (fallback === undefined) return `${head}${explained}}`;
  return `${head},"default_explanation":${JSON.stringify(fallback.explanation)},"default_reason":"${fallback.reason}"${explained}}`;
}

/** An output is a string on the wire; if it is JSON, it is passed on as JSON. */
function asJson(output: string): string {
  try {
    JSON.parse(output);
    return output;
  } catch {
    return JSON.stringify(output);
  }
}

const explain = ({ model, timeline, fallback }: Answer): object => ({
  ...(model === undefined ? {} : { model }),
  timeline: printTimeline(timeline),
  ...(fallback?.error === undefined ? {} : { error: fallback.error }),
});

function printTimeline({ batchSize, computeMicros, ...times }: Timeline): object {
  return {
    ...times,
    ...(batchSize === undefined ? {} : { batch_size: batchSize }),
    ...(computeMicros === undefined ? {} : { compute_micros: computeMicros }),
  };
}

/** A query that was given the default output. */
export const describeFailure = ({ queryId, reason, explanation, timeline, ...rest }: FailedQuery): object => ({
  query_id: queryId,
  default_reason: reason,
  default_explanation: explanation,
  ...rest,
  timeline: printTimeline(timeline),
});
