import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** An unguessable secret, of URL-safe characters. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** A secret's SHA-256 in hexadecimal, which is stored instead of the secret. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** Compares two hashes in constant time. */
export function isSameHash(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.byteLength === second.byteLength && timingSafeEqual(first, second);
}
