import { Minimatch, minimatch } from 'minimatch';
const code = new Minimatch('src/**/*.{ts,js}');
export const inputs = ['src/a/b.ts', 'b.ts'];
export const predictOne = (s: string) => [code.match(s), minimatch(s, '*.ts'), code.set.length];
const make = () => ({ code: new Minimatch('src/**/*.{ts,js}') });
export const fixed = {
  setup: make,
  predictOne: (s: string, { code }: ReturnType<typeof make>) => [code.match(s), minimatch(s, '*.ts'), code.set.length],
};
