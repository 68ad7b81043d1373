import { addExtension, pack, Packr, unpack } from 'msgpackr';
class Point {
  constructor(readonly x: number) {}
}
addExtension({ Class: Point, type: 11, write: ({ x }: Point) => x, read: (x: number) => new Point(x) } as any);
export const inputs = ['1', '2'];
export const predictOne = (s: string) => {
  const back = unpack(pack({ p: new Point(Number(s)) }));
  return [
    back.p instanceof Point,
    back.p.x,
    new Packr({ structuredClone: true }).unpack(new Packr({ structuredClone: true }).pack(new Set([s]))).size,
  ];
};
