import qs from 'qs';
const parse = (text: string) =>
  qs.parse(text, { allowDots: true, decoder: (part: string, fallback: any) => (part === 'on' ? 'ON' : fallback(part)) });
export const inputs = ['a.b=1&c=on', 'x[]=1&x[]=2'];
export const predictOne = (s: string) => [parse(s), qs.stringify({ s, list: [1, 2] }, { arrayFormat: 'brackets' })];
