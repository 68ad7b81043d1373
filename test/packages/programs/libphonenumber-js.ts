import parse, { AsYouType } from 'libphonenumber-js';
const typed = new AsYouType('DE');
typed.input('030');
export const inputs = ['030 123456', 'x'];
export const predictOne = (s: string) => [parse(s, 'DE')?.formatInternational() ?? null, typed.getNumberValue() ?? null];
