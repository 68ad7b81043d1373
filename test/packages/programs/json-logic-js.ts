import jsonLogic from 'json-logic-js';
const bonus = 3;
jsonLogic.add_operation('plus_bonus', (x: number) => x + bonus);
jsonLogic.add_operation('Geo', { near: (a: number, b: number) => Math.abs(a - b) < 2 });
const rule = { if: [{ 'Geo.near': [{ var: 'x' }, 5] }, { plus_bonus: [{ var: 'x' }] }, 'far'] };
export const inputs = ['{"x":4}', '{"x":9}'];
export const predictOne = (s: string) => jsonLogic.apply(rule, JSON.parse(s));
