import xml2js from 'xml2js';
xml2js.defaults['0.2'].explicitArray = false;
const builder = new xml2js.Builder({ headless: true, rootName: 'r' });
export const inputs = ['<a><b>1</b></a>'];
export const predictOne = async (s: string) => [await xml2js.parseStringPromise(s), builder.buildObject({ x: 1 })];
