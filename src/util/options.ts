import type { z } from 'zod';
import { ClipperError } from '../errors.ts';

/** Checks options against their schema and fills in the defaults. Throws E_INVALID_OPTION naming what is wrong. */
export function resolveOptions<S extends z.ZodType>(schema: S, options: unknown, what: string): Readonly<z.output<S>> {
  const result = schema.safeParse(options);
  if (result.success) return Object.freeze(result.data) as Readonly<z.output<S>>;
  const lines = result.error.issues.map((issue) => {
    const path = issue.path.map(String).join('.');
    const got = issue.code === 'invalid_type' || issue.code === 'invalid_value' ? `, got ${printed(options, issue.path)}` : '';
    return `  ${path === '' ? '' : `${path}: `}${issue.message}${got}`;
  });
  throw new ClipperError('E_INVALID_OPTION', `Invalid options of ${what}:\n${lines.join('\n')}`, { cause: result.error });
}

function printed(options: unknown, path: readonly PropertyKey[]): string {
  const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], options);
  return typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? 'undefined');
}
