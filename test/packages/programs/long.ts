import Long from 'long';
const base = Long.fromString('9007199254740993');
export const inputs = ['1', '-5'];
export const predictOne = (s: string) => [base.add(Long.fromString(s)).toString(), base.gt(s), Long.MAX_VALUE.toString()];
