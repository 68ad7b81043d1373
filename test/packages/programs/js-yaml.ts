import * as yaml from 'js-yaml';
const Point = new yaml.Type('!point', { kind: 'sequence', construct: ([x, y]: number[]) => ({ x, y }) });
const schema = yaml.DEFAULT_SCHEMA.extend([Point]);
export const inputs = ['at: !point [1, 2]', 'a: 2024-01-01'];
export const predictOne = (s: string) => yaml.load(s, { schema });
