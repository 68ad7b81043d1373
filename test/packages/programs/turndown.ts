import TurndownService from 'turndown';
const service = new TurndownService({ headingStyle: 'atx' });
service.addRule('mark', { filter: 'mark' as any, replacement: (content: string) => `==${content}==` });
export const inputs = ['<h1>a</h1><p><mark>b</mark> <em>c</em></p>'];
export const predictOne = (s: string) => service.turndown(s);
