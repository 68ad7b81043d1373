import { firstValueFrom, map, of, reduce, scan } from 'rxjs';
const sum = (of as any)(1, 2, 3).pipe(
  scan((a: number, b: number) => a + b),
  reduce((a: number, b: number) => Math.max(a, b)),
);
export const inputs = ['2', '3'];
export const predictOne = async (s: string) => firstValueFrom(sum.pipe(map((x: any) => x * Number(s))));
