import { pino } from 'pino';
import type { Log } from '../../src/log.ts';

export const silentLog: Log = pino({ level: 'silent' });
