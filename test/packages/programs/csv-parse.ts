import { parse } from 'csv-parse/sync';
const options = {
  columns: true,
  cast: (value: string, { header }: { header: boolean }) => (header ? value : Number(value) || value),
};
export const inputs = ['a,b\n1,x\n2,y'];
export const predictOne = (s: string) => parse(s, options);
