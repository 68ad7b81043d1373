import currency from 'currency.js';
const euro = (value: currency.Any) => currency(value, { symbol: '€', separator: '.', decimal: ',' });
const fee = euro(2.5);
export const inputs = ['10', '1234,5'];
export const predictOne = (s: string) => [euro(s).add(fee).format(), fee.distribute(3).map(String), fee.intValue];
