import { Liquid } from 'liquidjs';
const engine = new Liquid({ cache: true });
engine.registerFilter('loud', (s: string) => `${s.toUpperCase()}!`);
const page = engine.parse('{{ name | loud }}');
export const inputs = ['bo'];
export const predictOne = (s: string) => [
  engine.renderSync(page, { name: s }),
  engine.parseAndRenderSync('{{ "a" | append: name }}', { name: s }),
];
