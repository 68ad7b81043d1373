import { fromJS, List, Map, OrderedSet, Record } from 'immutable';
const Point = Record({ x: 0, y: 0 });
const prices = Map({ a: 1, b: 2 });
const nested: any = fromJS({ p: { q: [1, 2] } });
const seen = OrderedSet(['x']);
export const inputs = ['a', 'z'];
export const predictOne = (s: string) => [
  prices.get(s, -1),
  new Point({ x: 1 }).set('y', s.length).toJS(),
  nested.getIn(['p', 'q', 1]),
  seen.add(s).toArray(),
  List([s]).equals(List([s])),
];
