import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ClipperError, messageOf } from '../errors.ts';
import { printShort } from './print.ts';
import { z } from './zod.ts';

/** Each is PEM text or the path of a PEM file. */
export const tlsSchema = z.strictObject({
  cert: z.string().describe('The certificate, with those between it and its authority behind it.'),
  key: z.string(),
  ca: z.string().optional().describe("The authority's certificate, if clients don't have it."),
});
export type TlsOptions = Readonly<z.output<typeof tlsSchema>>;

export const isPem = (value: string): boolean => value.includes('-----BEGIN ');

/** The PEM text of an option that is PEM or the path of a PEM file. Throws E_INVALID_OPTION with the file's name. */
export async function readPem(option: string, value: string): Promise<string> {
  if (isPem(value)) return value;
  const text = await readFile(value, 'utf8').catch((error: unknown) => {
    // The value may be a key without its first line, which must not be shown.
    const shown = /^M[\w+/=-]{40,}|\n/.test(value) ? 'the text that was given' : printShort(value);
    throw invalid(
      `${option} must be PEM, or a file of it: ${shown} is neither PEM nor a file (${(error as NodeJS.ErrnoException).code})`,
    );
  });
  if (isPem(text)) return text;
  throw invalid(`${option}: the file ${value} holds no PEM`);
}

/** Reads a certificate and its key, and checks that they match. Throws E_INVALID_OPTION with the files' names. */
export async function readCertificate({ cert, key }: TlsOptions): Promise<{ readonly cert: string; readonly key: string }> {
  const pair = { cert: await readPem('tls.cert', cert), key: await readPem('tls.key', key) };
  try {
    createSecureContext(pair);
    return pair;
  } catch (error) {
    const [certificate, ofKey] = [cert, key].map((value) => (isPem(value) ? 'given as text' : value));
    const message = `tls.cert (${certificate}) and tls.key (${ofKey}) can't be used together: ${messageOf(error)}`;
    throw invalid(message, error);
  }
}

const invalid = (message: string, cause?: unknown): ClipperError => new ClipperError('E_INVALID_OPTION', message, { cause });
