import { XMLBuilder, XMLParser } from 'fast-xml-parser';
const parser = new XMLParser({ ignoreAttributes: false, tagValueProcessor: (_name, value) => (value === 'x' ? 'X' : value) });
parser.addEntity('hi', 'hello');
const builder = new XMLBuilder({ format: false });
export const inputs = ['<a b="1">x</a>', '<a>&hi;</a>'];
export const predictOne = (s: string) => [parser.parse(s), builder.build({ r: s.length })];
