import { format, formatDefaultLocale } from 'd3-format';
formatDefaultLocale({ decimal: ',', thousands: '.', grouping: [3], currency: ['', '€'] });
const two = format(',.2f');
export const inputs = ['1234.5'];
export const predictOne = (s: string) => [two(Number(s)), format('$,')(Number(s))];
