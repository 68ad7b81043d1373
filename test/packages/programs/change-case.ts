import { camelCase, constantCase, split } from 'change-case';
const all = { camelCase, constantCase };
export const inputs = ['two words', 'HTTPServer'];
export const predictOne = (s: string) => [all.camelCase(s), all.constantCase(s), split(s)];
