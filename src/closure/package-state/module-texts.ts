import { readFileSync } from 'node:fs';
import type { Snapshot } from './snapshot.ts';

/** By file: whether its text asks for random bytes. */
const drawing = new Map<string, boolean>();

export function drawsRandomly(file: string): boolean {
  const known = drawing.get(file) ?? /getRandomValues|randomFill|randomBytes/.test(file === '' ? '' : readFileSync(file, 'utf8'));
  drawing.set(file, known);
  return known;
}

/** By snapshot and name: whether the text of any of its modules contains the name. */
const named = new WeakMap<Snapshot, Map<string, boolean>>();

export function isNamed(snapshot: Snapshot, name: string): boolean {
  const known = named.get(snapshot) ?? new Map<string, boolean>();
  named.set(snapshot, known);
  const found = known.get(name) ?? Object.keys(snapshot.modules).some((file) => readFileSync(file, 'utf8').includes(name));
  known.set(name, found);
  return found;
}
