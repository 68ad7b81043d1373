import { ClipperError } from '../errors.ts';
import { printShort } from './print.ts';
import type { z } from './zod.ts';

/** Checks options against their schema, and fills in defaults. Throws E_INVALID_OPTION with all problems. */
export function resolveOptions<S extends z.ZodType>(schema: S, options: unknown, what: string): Readonly<z.output<S>> {
  const result = schema.safeParse(options);
  if (result.success) return Object.freeze(result.data) as Readonly<z.output<S>>;
  const lines = result.error.issues.map((issue) => `  ${describe(issue, options)}`);
  throw new ClipperError('E_INVALID_OPTION', `Invalid options of ${what}:\n${lines.join('\n')}`, { cause: result.error });
}

function describe(issue: z.core.$ZodIssue, options: unknown): string {
  const path = issue.path.map(String).join('.');
  const at = path === '' ? '' : `${path}: `;
  if (issue.code === 'unrecognized_keys') return `${at}there is no option ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  if (issue.code === 'invalid_key') return `${at}${issue.issues[0]?.message ?? issue.message}`;
  if (issue.code === 'custom' && issue.params?.isSecret === true) return `${at}${issue.message}`;
  const value = issue.path.reduce<unknown>((each, key) => (each as Record<PropertyKey, unknown> | undefined)?.[key], options);
  if (value === undefined)
    return `${at}${issue.code === 'invalid_type' ? `is missing, expected ${issue.expected}` : issue.message}`;
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received \w+$/, '');
  return `${at}${message}, got ${typeof value === 'function' ? 'a function' : printShort(value)}`;
}
