import { NIL, v4, v5, validate } from 'uuid';
const space = v4();
v4();
export const inputs = ['a', 'b'];
export const predictOne = (s: string) => [v5(s, space), validate(v4()), v4() === v4(), v4().slice(0, 8) === NIL.slice(0, 8)];
