import { errorCodes } from '../errors.ts';
import { z } from '../util/zod.ts';

const fix = z.string().optional().describe('What to do about it, if that is known.');

/** An error of our own endpoints. */
export const ClusterError = z.object({ code: z.enum(errorCodes), message: z.string(), fix }).meta({ id: 'ClusterError' });
/** The answers of our own endpoints besides success. */
export const clusterErrors = { '4XX': ClusterError, '5XX': ClusterError };

/** An error of the query REST, in Clipper's words with our code beside them. */
export const QueryError = z
  .object({
    error: z.enum(['Json error', 'Query processing error', 'Not found', 'Unauthorized', 'Forbidden']),
    cause: z.string(),
    code: z.enum(errorCodes),
    fix,
  })
  .meta({ id: 'QueryError' });
/** The answers to a caller whose token, key or page is not accepted. */
export const refusals = { 401: QueryError, 403: QueryError };

/** The header that holds the code of an error whose body is plain text, as Clipper's management has it. */
export const errorCodeHeader = 'clipper-error-code';
