import { ClipperError } from '../errors.ts';
import type { RedisSession } from './redis-session.ts';

/** A live server pings every 10 s. The connection of a crashed machine stays in Redis's list for longer. */
const deadAfterS = 30;

/**
 * Throws E_CLUSTER_EXISTS if another server has a connection of this name: two servers of one name would overwrite each
 * other's records.
 */
export async function requireAlone(session: RedisSession, name: string): Promise<void> {
  const [id, list] = await session.ask(0, [
    ['client', 'id'],
    ['client', 'list'],
  ]);
  // A Redis may refuse to list its clients.
  if (id === undefined || list === undefined || 'refused' in id || 'refused' in list) return;
  for (const line of String(list.value).split('\n')) {
    const client = new Map(line.split(' ').map((field) => field.split(/=(.*)/s) as [string, string]));
    const isOther = client.get('name') === name && client.get('id') !== String(id.value);
    if (!isOther || Number(client.get('idle')) > deadAfterS) continue;
    const message = `A server with the name of this cluster uses the same Redis already, from ${client.get('addr')}`;
    throw new ClipperError('E_CLUSTER_EXISTS', `${message}. Give each server that shares a Redis a \`name\` of its own`);
  }
}
