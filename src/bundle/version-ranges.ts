type Version = readonly [major: number, minor: number, patch: number];
/** From the first version to the second, which is outside. */
type Span = readonly [from: Version, to: Version];

const zero: Version = [0, 0, 0];
const end: Version = [Number.POSITIVE_INFINITY, 0, 0];
const comparator = /^(\^|~>?|>=|<=|>|<|=|)v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?$/;

/**
 * Whether a version lies in a range as npm understands it; undefined where that takes npm: for tags, and for ranges of
 * prereleases.
 */
export function satisfies(version: string, range: string): boolean | undefined {
  if (version === range) return true;
  const parsed = /^(\d+)\.(\d+)\.(\d+)(?:\+[\w.-]+)?$/.exec(version)?.slice(1, 4).map(Number);
  if (parsed === undefined) return undefined;
  const alternatives = range.split('||').map(spansOf);
  if (alternatives.some((spans) => spans === undefined)) return undefined;
  return alternatives.some((spans) => spans?.every((span) => lies(parsed as unknown as Version, span)));
}

function spansOf(range: string): readonly Span[] | undefined {
  const words = range
    .trim()
    .replace(/^(\S+)\s+-\s+(\S+)$/, '>=$1 <=$2')
    .replace(/([~^<>=])\s+/g, '$1')
    .split(/\s+/);
  const spans = words.map((word) => (word === '' ? ([zero, end] as const) : spanOf(word)));
  return spans.every((span) => span !== undefined) ? spans : undefined;
}

function spanOf(word: string): Span | undefined {
  const [, operator, ...texts] = comparator.exec(word) ?? [];
  if (operator === undefined) return undefined;
  const [major, minor, patch] = texts.map((text) => (text === undefined || /[xX*]/.test(text) ? undefined : Number(text)));
  if (major === undefined) return operator === '<' || operator === '>' ? undefined : [zero, end];
  const from: Version = [major, minor ?? 0, minor === undefined ? 0 : (patch ?? 0)];
  const nextMajor: Version = [major + 1, 0, 0];
  const nextMinor: Version = minor === undefined ? nextMajor : [major, minor + 1, 0];
  const next: Version = minor === undefined || patch === undefined ? nextMinor : [major, minor, patch + 1];
  if (operator === '>=') return [from, end];
  if (operator === '>') return [next, end];
  if (operator === '<') return [zero, from];
  if (operator === '<=') return [zero, next];
  if (operator.startsWith('~')) return [from, nextMinor];
  if (operator !== '^') return [from, next];
  if (major > 0 || minor === undefined) return [from, nextMajor];
  return [from, minor > 0 || patch === undefined ? nextMinor : next];
}

const lies = (version: Version, [from, to]: Span): boolean => compare(from, version) <= 0 && compare(version, to) < 0;

function compare(one: Version, other: Version): number {
  for (const [index, part] of one.entries()) {
    const difference = part - (other[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
