import { z } from '../util/zod.ts';

/** A package to add to those that a closure uses. */
export interface WantedPackage {
  readonly name: string;
  /** A version, a version range or a tag. Undefined for the version that the project uses. */
  readonly range: string | undefined;
}

const entry = /^((?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*)(?:@([\w.^~<>=|*+ -]+))?$/i;
const expected = 'must be the name of an npm package, with a version, range or tag after an @ or without: lodash, lodash@^4';

function parseEntry(text: unknown): WantedPackage | undefined {
  const [, name, range] = typeof text === 'string' && text.length <= 300 ? (entry.exec(text) ?? []) : [];
  return name === undefined || name === 'node_modules' ? undefined : { name, range: range?.trim() };
}

/** Returns what is wrong with an entry, given the entries before it. */
function problemOf(text: unknown, before: readonly unknown[]): string | undefined {
  const wanted = parseEntry(text);
  if (wanted === undefined) return expected;
  const other = before.map(parseEntry).find((each) => each?.name === wanted.name && each.range !== wanted.range);
  return other === undefined ? undefined : `must be of one version: ${wanted.name} is listed with ${other.range ?? 'none'} too`;
}

export const packagesOption = z
  .custom<'auto' | readonly string[]>(
    (value) => value === 'auto' || Array.isArray(value),
    "must be 'auto' or a list of npm packages, as ['lodash', 'sharp@^0.34']",
  )
  .superRefine((list, { addIssue }) => {
    if (!Array.isArray(list)) return;
    list.forEach((text, index) => {
      const message = problemOf(text, list.slice(0, index));
      if (message !== undefined) addIssue({ code: 'custom', path: [index], message });
    });
  })
  .default('auto')
  .describe("npm packages to add to what the function is seen to use: ['sharp', 'lodash@^4']; 'auto' adds none.");

/** Returns the packages of the option without duplicates, sorted by name. */
export function wantedPackages(option: 'auto' | readonly string[]): readonly WantedPackage[] {
  if (option === 'auto') return [];
  const byName = new Map(option.flatMap((text) => parseEntry(text) ?? []).map((each) => [each.name, each]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
