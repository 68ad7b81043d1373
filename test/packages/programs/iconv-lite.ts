import iconv from 'iconv-lite';
iconv.encodingExists('latin1');
const encoder = (iconv as any).getCodec('win1252');
export const inputs = ['é', 'ß'];
export const predictOne = (s: string) => [
  [...iconv.encode(s, 'latin1')],
  iconv.decode(Buffer.from([0xe9]), 'win1252'),
  encoder !== undefined,
];
