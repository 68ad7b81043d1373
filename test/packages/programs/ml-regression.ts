import { PolynomialRegression } from 'ml-regression';
const model = new PolynomialRegression([0, 1, 2, 3], [1, 2, 5, 10], 2);
export const inputs = ['4', '5'];
export const predictOne = (s: string) => [model.predict(Number(s)).toFixed(6), model.degree, model.toString(2)];
