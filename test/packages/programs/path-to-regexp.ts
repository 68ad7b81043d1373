import { compile, match } from 'path-to-regexp';
const route = match('/users/:id{/:tab}');
const to = compile('/users/:id');
export const inputs = ['/users/1', '/users/1/posts', '/x'];
export const predictOne = (s: string) => [route(s) && (route(s) as any).params, to({ id: s })];
