import bigInt from 'big-integer';
const start = bigInt('123456789012345678901234567890');
export const inputs = ['3'];
export const predictOne = (s: string) => [start.multiply(s).toString(), bigInt(s).isPrime(), start.mod(97).toJSNumber()];
