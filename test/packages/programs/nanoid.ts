import { customAlphabet, nanoid } from 'nanoid';
const digits = customAlphabet('0123456789', 8);
digits(), nanoid();
export const inputs = ['a'];
export const predictOne = (s: string) => [/^\d{8}$/.test(digits()), digits() === digits(), nanoid(5).length, s];
