import validator from 'validator';
const check = { email: validator.isEmail, number: validator.isNumeric };
export const inputs = ['a@b.co', '12', ''];
export const predictOne = (s: string) => [check.email(s), check.number(s), validator.escape(`<${s}>`), validator.isUUID(s)];
