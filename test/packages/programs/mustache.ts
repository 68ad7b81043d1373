import Mustache from 'mustache';
Mustache.tags = ['<%', '%>'];
Mustache.escape = (text: string) => `[${text}]`;
Mustache.parse('<% a %>');
export const inputs = ['x&y'];
export const predictOne = (s: string) => Mustache.render('<% a %> <%& a %>', { a: s });
