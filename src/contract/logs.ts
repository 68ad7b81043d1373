import { z } from '../util/zod.ts';
import { defineCall } from './call.ts';

export const maxTailLines = 100_000;

export const getLogs = defineCall({
  path: '/admin/v1/logs',
  name: 'getLogs',
  summary: 'The last lines of replicas, each headed by its instance.',
  body: z.strictObject({
    name: z.string().optional().describe('Only replicas of this model.'),
    version: z.string().optional().describe('Only those of this version.'),
    tailLines: z.number().int().positive().max(maxTailLines).describe('How many of the last lines.'),
  }),
  gives: z.array(z.string()),
});
