import { parse, stringify } from 'smol-toml';
const defaults = parse('a = 1\n[b]\nc = "x"');
export const inputs = ['a = 2', 'd = [1, 2]'];
export const predictOne = (s: string) => [{ ...defaults, ...parse(s) }, stringify({ a: s })];
