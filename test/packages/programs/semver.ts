import semver from 'semver';
const range = new semver.Range('^1.2 || >=3');
const minimum = semver.parse('1.2.0');
export const inputs = ['1.9.0', '2.0.0', 'no'];
export const predictOne = (s: string) => [
  semver.valid(s),
  semver.satisfies(s, range),
  semver.valid(s) ? semver.compare(s, minimum!) : null,
];
