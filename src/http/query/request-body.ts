import type { ZodError } from 'zod';
import { ClipperError } from '../../errors.ts';
import { printShort } from '../../util/print.ts';

/** Parses a request's body, JSON in UTF-8. Throws E_MALFORMED_JSON, also for JSON that isn't an object. */
export function parseObject(body: unknown): Record<string, unknown> {
  let parsed: unknown;
  try {
    // Some clients begin with a byte order mark.
    parsed = JSON.parse(Buffer.isBuffer(body) ? body.toString().replace(/^\ufeff/, '') : '');
  } catch (error) {
    throw new ClipperError('E_MALFORMED_JSON', `Error parsing JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new ClipperError('E_MALFORMED_JSON', `Error parsing JSON: expected an object, got ${printShort(parsed)}`);
}

/** A schema's objections to a body, field by field, on one line. */
export const explainIssues = ({ issues }: ZodError): string =>
  issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
