import _ from 'lodash';
_.mixin({ shout: (s: string) => `${s.toUpperCase()}!` });
_.templateSettings.interpolate = /{{([\s\S]+?)}}/g;
const greet = _.template('Hi {{ name }}');
const twice = _.memoize((x: number) => 2 * x);
twice(4);
export const inputs = ['bo', 'al'];
export const predictOne = (s: string) => [
  greet({ name: s }),
  _.template('<{{ a }}>')({ a: s }),
  (_ as any).shout(s),
  twice(s.length),
  _.chunk([...s], 1).length,
];
