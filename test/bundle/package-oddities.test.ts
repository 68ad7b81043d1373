import { installed, PackageProject, type ProjectFiles } from '../helpers/package-project.ts';

const esm = (text: string): ProjectFiles =>
  installed('node_modules/odd', { type: 'module', exports: './index.js' }, { 'index.js': text });
const cjs = (text: string): ProjectFiles => installed('node_modules/odd', {}, { 'index.js': text });
const own = "import * as p from 'odd';";
const all = "import p from 'odd';";

// State in odd places: what the package is, what the program does to it, and what it then answers.
test.each<[string, ProjectFiles, string, unknown]>([
  [
    'a closure that was made anew by the same factory',
    esm(`function mk(sep) { return (x) => sep + x; } let cur = mk('a');
      export function setDefault(d) { cur = mk(d); } export const run = (x) => cur(x);`),
    `${own} p.setDefault('S'); const fn = () => p.run('1');`,
    'S1',
  ],
  [
    'a variable that is exported and imported by name',
    esm("export let mode = 'a'; export const setMode = (to) => { mode = to; }, get = () => mode;"),
    "import { get, mode, setMode } from 'odd'; setMode('b'); const fn = () => [mode, get()];",
    ['b', 'b'],
  ],
  [
    'variables that were first seen through a function that was replaced',
    cjs(`let mode = 'a'; exports.format = function (x) { return mode + x; };
      exports.setMode = function (m) { mode = m; }; exports.get = function () { return mode; };`),
    `${all} p.setMode('b'); p.format = (x) => 'mine' + x; const fn = () => [p.get(), p.format(1)];`,
    ['b', 'mine1'],
  ],
  [
    'contents of constants',
    esm(`const epoch = new Date(0), re = /a/g, table = new Float32Array(4), buf = Buffer.from('abc'), dv = new DataView(new ArrayBuffer(4));
      export const set = () => { epoch.setTime(5); re.lastIndex = 3; table[2] = 9; buf[0] = 122; dv.setInt8(0, 5); };
      export const get = () => [epoch.getTime(), re.lastIndex, table[2], String(buf), dv.getInt8(0)];`),
    `${own} p.set(); const fn = () => p.get();`,
    [5, 3, 9, 'zbc', 5],
  ],
  [
    'long lists, and very long ones',
    esm(`const words = Array.from({ length: 300 }, (_, i) => 'w' + i), many = [], map = new Map();
      export const add = (w) => words.push(w), has = (w) => [words.includes(w), words.length, many.length, map.size];
      export const fill = (n) => { for (let i = 0; i < n; i++) { many.push({ i }); map.set(i, i); } };`),
    `${own} p.add('x'); p.fill(70_000); const fn = () => p.has('x');`,
    [true, 301, 70_000, 70_000],
  ],
  [
    'a list with names, and with fewer elements',
    esm(`class Registry extends Array { strict = false; } export const list = new Registry(); list.push(1, 2, 3);
      export const get = () => [list.strict, list.mode, [...list]];`),
    `${own} p.list.strict = true; p.list.mode = 'x'; p.list.pop(); const fn = () => p.get();`,
    [true, 'x', [1, 2]],
  ],
  [
    'private state of the package’s own objects in a WeakMap',
    esm(`const priv = new WeakMap(); class Conf { constructor() { priv.set(this, { mode: 'a' }); } set(m) { priv.get(this).mode = m; } swap() { priv.set(this, { mode: 'c' }); } get() { return priv.get(this).mode; } }
      export const conf = new Conf(), other = new Conf();`),
    `${own} p.conf.set('b'); p.other.swap(); const fn = () => [p.conf.get(), p.other.get()];`,
    ['b', 'c'],
  ],
  [
    'settings that were frozen after the change',
    esm('export const settings = { x: 1, y: { z: 1 } }; export const get = () => settings.x;'),
    `${own} p.settings.x = 50; Object.freeze(p.settings); const fn = () => p.get();`,
    50,
  ],
  [
    'a frozen configuration that was replaced by another',
    esm(`let cur = Object.freeze({ a: 1 }), list = Object.freeze([1]);
      export const set = (o) => { cur = Object.freeze({ ...cur, ...o }); list = Object.freeze([...list, 2]); }, get = () => [cur, list];`),
    `${own} p.set({ b: 2 }); const fn = () => p.get();`,
    [{ a: 1, b: 2 }, [1, 2]],
  ],
  [
    'bytes that are a setting, of a module that draws none',
    esm(
      `let key = new Uint8Array(4), left = 4; export const setKey = (k) => { key = k; left = k.length; }, get = () => [[...key], left];`,
    ),
    `${own} p.setKey(new Uint8Array([1, 2])); const fn = () => p.get();`,
    [[1, 2], 2],
  ],
  [
    'collections whose classes do more than to collect',
    esm(`class Reg extends Map { set(k, v) { return super.set(k, '<' + v + '>'); } } const log = [];
      class Names extends Set { add(v) { log.push(v); return super.add(v); } }
      export const reg = new Reg(), names = new Names(), get = () => [[...reg], [...names], log];`),
    `${own} p.reg.set('a', 'y'); p.names.add('n'); const fn = () => p.get();`,
    [[['a', '<y>']], ['n'], ['n']],
  ],
  [
    'private fields of one name, and of classes of one text',
    esm(`class A { #x = 1; set(v) { this.#x = v; } get() { return this.#x; } } class B extends A { #x = 2; setB(v) { this.#x = v; } getB() { return this.#x; } }
      const mk = (d) => class { static #n = d; #m = d; static set(v) { this.#n = v; } static get() { return this.#n; } };
      export const b = new B(), C = mk(1), D = mk(2);`),
    `${own} p.b.set(10); p.b.setB(20); p.C.set(30); p.D.set(40); const fn = () => [p.b.get(), p.b.getB(), p.C.get(), p.D.get()];`,
    [10, 20, 30, 40],
  ],
  [
    'an AbortSignal that was aborted',
    esm(
      'const c = new AbortController(); c.abort(); export const s = c.signal; let n = 1; export const q = () => [s.aborted, n], set = (to) => { n = to; };',
    ),
    `${own} p.set(2); const fn = () => p.q();`,
    [true, 2],
  ],
])('%s', async (_what, files, code, expected) => {
  await using project = await PackageProject.of(files);
  const bundle = project.bundle(code);
  expect(bundle.captured?.warnings ?? []).toEqual([]);
  expect(await project.call(bundle)).toEqual(expected);
});

test('of two differences of one name, one that stays behind leaves the other', async () => {
  await using project = await PackageProject.of(
    installed(
      'node_modules/odd',
      {},
      {
        'a.js': 'let cb = null; exports.set = (to) => { cb = to; }; exports.get = () => typeof cb;',
        'b.js': 'let cb = null; exports.set = (to) => { cb = to; }; exports.run = (x) => cb(x);',
        'index.js': "exports.a = require('./a.js'); exports.b = require('./b.js');",
      },
    ),
  );
  const code = `${all} p.a.set(new WeakRef({})); p.b.set((x) => x + '!'); const fn = () => [p.a.get(), p.b.run('x')];`;
  const bundle = project.bundle(code);
  expect(bundle.captured.warnings).toHaveLength(1);
  expect(await project.call(bundle)).toEqual(['object', 'x!']);
});
