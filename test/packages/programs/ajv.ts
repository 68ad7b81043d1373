import { Ajv } from 'ajv';
const ajv = new Ajv({ allErrors: true });
ajv.addFormat('even', { type: 'number', validate: (x: number) => x % 2 === 0 });
ajv.addKeyword({ keyword: 'longer', type: 'string', validate: (than: number, s: string) => s.length > than });
const check = ajv.compile({
  type: 'object',
  properties: { n: { type: 'number', format: 'even' }, s: { type: 'string', longer: 2 } },
  required: ['n'],
});
export const inputs = ['{"n":2,"s":"abc"}', '{"n":3,"s":"a"}', '{}'];
export const predictOne = (s: string) => [check(JSON.parse(s)), check.errors?.map(({ message }) => message) ?? null];
