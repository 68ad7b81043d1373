import { pino } from 'pino';
import type { Log } from '../../src/log.ts';

/** A log whose lines are kept. */
export function keptLog(): { readonly log: Log; readonly messages: string[] } {
  const messages: string[] = [];
  const write = (line: string): void => void messages.push(line);
  return { log: pino({ level: 'info' }, { write }), messages };
}
