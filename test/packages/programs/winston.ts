import winston from 'winston';
const tagged = winston.format((info) => ({ ...info, tag: 'x' }));
const format = winston.format.combine(tagged(), winston.format.json());
export const inputs = ['hello'];
export const predictOne = (s: string) => {
  const made = format.transform({ level: 'info', message: s }, {});
  return (made as any)[Symbol.for('message')];
};
