import * as ss from 'simple-statistics';
const fit = ss.linearRegression([
  [0, 1],
  [1, 3],
  [2, 5],
]);
const line = ss.linearRegressionLine(fit);
const model = new ss.BayesianClassifier();
model.train({ species: 'cat' }, 'animal');
export const inputs = ['3', '10'];
export const predictOne = (s: string) => [line(Number(s)), ss.median([1, 2, Number(s)]), model.score({ species: 'cat' })];
