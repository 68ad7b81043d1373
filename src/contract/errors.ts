import { errorCodes } from '../errors.ts';
import { z } from '../util/zod.ts';

/** An error of our own endpoints. */
export const ClusterError = z.object({ code: z.enum(errorCodes), message: z.string() }).meta({ id: 'ClusterError' });

/** The answers of our own endpoints besides success. */
export const clusterErrors = { '4XX': ClusterError, '5XX': ClusterError };
