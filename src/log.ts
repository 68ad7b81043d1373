import { type Logger, pino } from 'pino';

export type Log = Logger;

/** The server's log: one JSON object per line, on standard output. */
export const createLog = (bindings: Record<string, unknown>): Log =>
  pino({ base: bindings, level: process.env.CLIPPER_LOG_LEVEL ?? 'info' });
