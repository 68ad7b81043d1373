import { interpolateRgb } from 'd3-interpolate';
import { scaleLinear, scaleOrdinal } from 'd3-scale';
const y = scaleLinear().domain([0, 10]).range([0, 100]).clamp(true);
const color = scaleOrdinal<string, string>().domain(['a', 'b']).range(['red', 'blue']);
const mix = interpolateRgb('red', 'blue');
export const inputs = ['5', '20'];
export const predictOne = (s: string) => [y(Number(s)), y.ticks(3), color('b'), mix(0.5)];
