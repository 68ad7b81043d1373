import nunjucks from 'nunjucks';
const env = new nunjucks.Environment(null, { autoescape: false });
env.addFilter('loud', (s: string) => `${s.toUpperCase()}!`);
env.addGlobal('site', 'us');
const page = nunjucks.compile('{{ site }}: {{ name | loud }}', env);
export const inputs = ['bo'];
export const predictOne = (s: string) => page.render({ name: s });
