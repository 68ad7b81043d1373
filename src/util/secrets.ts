import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A secret that can't be guessed, of characters that may stand anywhere. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** What is kept in place of a secret: its SHA-256, in hexadecimal. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** Whether two hashes are one; how long that takes doesn't tell where they differ. */
export function isSameHash(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.byteLength === second.byteLength && timingSafeEqual(first, second);
}
