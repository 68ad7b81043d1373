import Fraction from 'fraction.js';
const third = new Fraction(1, 3);
export const inputs = ['0.25', '2/3'];
export const predictOne = (s: string) => [third.add(s).toFraction(), third.mul(3).equals(1), new Fraction(s).toString()];
