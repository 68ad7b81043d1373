import numeral from 'numeral';
numeral.register('locale', 'xx', {
  delimiters: { thousands: '_', decimal: ',' },
  abbreviations: { thousand: 'k', million: 'm', billion: 'b', trillion: 't' },
  ordinal: () => '.',
  currency: { symbol: 'X' },
});
numeral.locale('xx');
numeral.defaultFormat('0,0.00');
export const inputs = ['1234.5'];
export const predictOne = (s: string) => [numeral(s).format(), numeral(s).format('$0,0'), numeral(Number(s) * 1000).format('0a')];
