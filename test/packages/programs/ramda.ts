import * as R from 'ramda';
const slug = R.pipe(R.toLower, R.split(' '), R.join('-'));
const where = R.where({ a: R.gt(R.__, 1) });
export const inputs = ['Big Cat', 'x'];
export const predictOne = (s: string) => [slug(s), where({ a: s.length }), R.groupBy((c: string) => c, [...s])];
