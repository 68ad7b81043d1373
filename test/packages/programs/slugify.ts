import slugify from 'slugify';
slugify.extend({ '☢': 'atom', '%': 'of hundred' });
export const inputs = ['Ärger ☢ 50%'];
export const predictOne = (s: string) => [slugify(s, { lower: true }), slugify(s, '_')];
