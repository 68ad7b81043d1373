import Papa from 'papaparse';
Papa.LocalChunkSize = 3 as any;
(Papa as any).delimiterGuesses = undefined;
export const inputs = ['a;b\n1;2'];
export const predictOne = (s: string) => [
  Papa.parse(s, { header: true, dynamicTyping: true }).data,
  Papa.unparse([[1, s]]),
  Papa.LocalChunkSize,
];
