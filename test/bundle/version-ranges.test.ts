import { createRequire } from 'node:module';
import { join } from 'node:path';
import { satisfies } from '../../src/bundle/version-ranges.ts';
import { packageDir } from '../../src/util/package-files.ts';

const npm = createRequire(join(packageDir, 'package.json'))('semver') as { satisfies(version: string, range: string): boolean };

const versions = ['0.0.0', '0.0.3', '0.2.3', '0.3.0', '1.0.0', '1.2.0', '1.2.3', '1.3.0', '2.0.0', '10.0.0'];
const operators = ['', '^', '~', '>=', '<=', '>', '<', '='];
const numbers = ['0', '0.0', '0.0.3', '0.2', '0.2.3', '1', '1.x', '1.2', '1.2.3', '1.2.*', 'v2.0.0', '*'];
const ranges = [
  ...operators.flatMap((operator) => numbers.map((number) => `${operator}${number}`)),
  '',
  '>= 1.0.0 <2',
  '1.0.0 - 1.2',
  '^0.2 || >1.2.3 <10',
  '~ 1.2.0',
];

test('a version lies in a range where the semver of npm says so', () => {
  const wrong = versions.flatMap((version) =>
    ranges
      .filter((range) => ![npm.satisfies(version, range), undefined].includes(satisfies(version, range)))
      .map((range) => `${version} in "${range}": ${satisfies(version, range)}`),
  );
  expect(wrong).toEqual([]);
});

test('what only npm can tell is left open', () => {
  expect(ranges.filter((range) => satisfies('1.2.3', range) === undefined)).toEqual(['>*', '<*']);
  expect(satisfies('1.2.3', 'latest')).toBeUndefined();
  expect(satisfies('1.2.3-rc.1', '^1.2.0')).toBeUndefined();
  expect(satisfies('1.2.3-rc.1', '1.2.3-rc.1')).toBe(true);
});
