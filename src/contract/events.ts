import { z } from '../util/zod.ts';
import { defineRead } from './call.ts';

const eventKinds = [
  'server_started',
  'server_stopping',
  'deployed',
  'ready',
  'died',
  'gave_up',
  'scaled',
  'stopped',
  'switched',
  'traffic',
  'promoted',
  'rolled_back',
  'deleted',
  'shed',
] as const;
/** What may happen to a cluster. */
export type EventKind = (typeof eventKinds)[number];

export const ClusterEvent = z
  .object({
    id: z.number().int().describe('Counts from 1, also across restarts of the server.'),
    at: z.iso.datetime(),
    kind: z.enum(eventKinds),
    model: z.string().optional(),
    version: z.string().optional(),
    instance: z.string().optional().describe('The replica that it is about.'),
    message: z.string(),
  })
  .meta({ id: 'Event' });
/** Something that happened to a cluster. `at` is ISO 8601. */
export type ClusterEvent = Readonly<z.output<typeof ClusterEvent>>;

export const getEvents = defineRead({
  path: '/admin/v1/events',
  name: 'events',
  summary: 'What happened to the cluster, oldest first; with `follow` also what happens from now on, as JSON lines.',
  gives: z.array(ClusterEvent),
});
