import { installed, PackageProject } from '../helpers/package-project.ts';

/** Packages that keep settings and registries, as their authors and bundlers write them. */
const packages = {
  ...installed(
    'node_modules/esm-settings',
    { type: 'module', exports: './index.js' },
    {
      'index.js': `
      let zone = 'utc';
      const formats = { short: 'd', nested: { long: 'dd' } };
      export const Settings = class { static get zone() { return zone; } static set zone(to) { zone = to; } };
      export const all = () => [zone, formats.short, formats.nested.long, ...Object.keys(formats)];
      export { formats };`,
    },
  ),
  // One function around everything, as UMD has it, whose text says "use strict" first.
  ...installed(
    'node_modules/umd',
    {},
    {
      'index.js': `
      !function (root, factory) { module.exports = factory(); }(this, (function () { "use strict"; var places = 20, plugins = [];
        const Num = (x) => [Number(x).toFixed(places), plugins.map((each) => each(x))].join();
        Num.config = (to) => { places = to; };
        Num.use = (plugin) => { plugins.push(plugin); };
        return Num; }));`,
    },
  ),
  ...installed(
    'node_modules/twice',
    {},
    {
      'index.js': `
      const factory = () => {
        var Symbol = undefined, map = { a: 'A' };
        function slug(s) { return [...s].map((each) => map[each] ?? each).join(''); }
        slug.extend = (more) => { Object.assign(map, more); };
        return slug;
      };
      module.exports = factory();
      module.exports.default = factory();`,
    },
  ),
  ...installed(
    'node_modules/registry',
    {},
    {
      'index.js': `
      const helpers = new Map([['id', (x) => x]]), names = new Set(['id']), rules = [];
      exports.register = (name, fn) => { helpers.set(name, fn); names.add(name); };
      exports.remove = (name) => { helpers.delete(name); names.delete(name); };
      exports.rule = (target, name) => { rules.push({ target, name }); };
      exports.rulesOf = (target) => rules.filter((each) => each.target === target).map(({ name }) => name);
      exports.run = (x) => [...helpers].map(([name, fn]) => name + fn(x)).concat([...names]);`,
    },
  ),
  ...installed(
    'node_modules/private',
    { type: 'module', exports: './index.js' },
    {
      'index.js': `
      class Base { #level = 'info'; level(to) { if (to) this.#level = to; return this.#level; } }
      class Registry extends Base { #items = new Map(); static #count = 0; add(name, fn) { Registry.#count++; this.#items.set(name, fn); return this; }
        run(x) { return [Registry.#count, this.level(), ...[...this.#items].map(([name, fn]) => name + fn(x))]; } }
      export const registry = new Registry();`,
    },
  ),
  ...installed(
    'node_modules/replaced',
    {},
    {
      'index.js': `
      exports.defaults = { a: 1, hooks: [] };
      exports.set = (to) => { exports.defaults = { ...exports.defaults, ...to }; };
      exports.read = () => exports.defaults;`,
    },
  ),
  // Decorators' metadata: by class, in a WeakMap inside of a function, behind what is put on Reflect.
  ...installed(
    'node_modules/metadata',
    {},
    {
      'index.js': `
      (function (Reflect) {
        function makeStore() { var data = new WeakMap(); return { set: (key, value) => data.set(key, value), get: (key) => data.get(key) }; }
        var store = makeStore();
        Object.defineProperty(Reflect, 'note', { value: (key, value) => store.set(key, value), configurable: true, writable: true });
        Object.defineProperty(Reflect, 'noted', { value: (key) => store.get(key), configurable: true, writable: true });
      })(Reflect);`,
    },
  ),
  ...installed(
    'node_modules/global-storage',
    {},
    {
      'index.js': `
      const storage = () => (globalThis.someMetadataStorage ??= { rules: [] });
      exports.rule = (target, name) => { storage().rules.push({ target, name }); };
      exports.count = (target) => storage().rules.filter((each) => each.target === target).length;`,
    },
  ),
  ...installed(
    'node_modules/ids',
    {},
    {
      'index.js': `
      const { randomFillSync } = require('node:crypto');
      const pool = new Uint8Array(16); let at = pool.length;
      exports.id = () => { if (at === pool.length) { randomFillSync(pool); at = 0; } return pool[at++]; };
      exports.state = () => [at, pool.every((each) => each === 0)];`,
    },
  ),
  ...installed(
    'node_modules/agent',
    {},
    {
      'index.js': `
      const { Agent } = require('node:http');
      let agent, retries = 1;
      exports.use = (to) => { agent = to; };
      exports.retries = (to) => { retries = to; };
      exports.Agent = Agent;
      exports.describe = () => [agent === undefined, retries];`,
    },
  ),
};

test.each([
  [
    'variables of an ES module, and what they hold',
    "import { Settings, all, formats } from 'esm-settings'; Settings.zone = 'Asia/Tokyo'; formats.short = 'x'; formats.nested.long = 'xx'; formats.mine = 1; const fn = () => all();",
    ['Asia/Tokyo', 'x', 'xx', 'short', 'nested', 'mine'],
  ],
  [
    'what was deleted',
    "import { all, formats } from 'esm-settings'; delete formats.nested.long; const fn = () => all();",
    ['utc', 'd', null, 'short', 'nested'],
  ],
  [
    'variables of a function around a whole package, with functions of the user',
    "import Num from 'umd'; const unit = 'kg'; Num.config(2); Num.use((x) => x + unit); const fn = () => Num(1);",
    '1.00,1kg',
  ],
  [
    'variables of one of several calls of a function',
    "import slug from 'twice'; slug.extend({ b: 'B' }); const fn = () => [slug('ab'), slug.default('ab')];",
    ['AB', 'Ab'],
  ],
  [
    'Maps, Sets and lists that things are registered in',
    `import registry from 'registry'; class User {} const twice = (x) => 2 * x; registry.remove('id'); registry.register('twice', twice);
     registry.rule(User, 'email'); const fn = () => [registry.run(2), registry.rulesOf(User)];`,
    [['twice4', 'twice'], ['email']],
  ],
  [
    'private fields, of instances, base classes and classes',
    "import { registry } from 'private'; registry.add('a', (x) => x + 1).level('debug'); const fn = () => registry.run(1);",
    [1, 'debug', 'a2'],
  ],
  [
    'an object that was put in place of another',
    "import lib from 'replaced'; lib.set({ a: 2 }); const { defaults } = lib; const fn = () => [lib.read(), lib.read() === defaults];",
    [{ a: 2, hooks: [] }, true],
  ],
  [
    'what a package that was imported for its effect knows of classes',
    "import 'metadata'; class A {} class B {} Reflect.note(A, 'a'); const fn = () => [Reflect.noted(A), Reflect.noted(B) ?? 'none'];",
    ['a', 'none'],
  ],
  [
    'what a package puts on globalThis once it is used',
    "import { rule, count } from 'global-storage'; class A {} rule(A, 'x'); rule(A, 'y'); const fn = () => count(A);",
    2,
  ],
  [
    'nothing of random bytes that were drawn in advance, which replicas must not share',
    "import { id, state } from 'ids'; id(); const fn = () => state();",
    [16, true],
  ],
])('%s', async (_what, code, expected) => {
  await using project = await PackageProject.of(packages);
  const bundle = project.bundle(code);
  expect(bundle.captured?.warnings ?? []).toEqual([]);
  expect(await project.call(bundle)).toEqual(expected);
});

test('credentials among settings are found, and what is changed is shown', async () => {
  await using project = await PackageProject.of(packages);
  const key = `sk_live_${'4eC39HqLyjWDarjtT1zdp7dc'}`;
  const { captured } = project.bundle(`import lib from 'replaced'; lib.defaults.key = '${key}'; const fn = () => lib.read().a;`);
  expect(captured.warnings).toEqual([
    expect.objectContaining({
      path: expect.stringMatching(/^replaced\.defaults\.key → \.key$/),
      what: expect.stringContaining('Stripe'),
    }),
  ]);
  const changes = captured.roots.filter(({ type }) => type === 'change of a package');
  expect(changes.map(({ name, why }) => [name, why])).toEqual([['replaced.defaults.key', 'changed since it was loaded']]);
});

test('what can’t travel stays as the package has it when it is loaded, and a warning says so', async () => {
  await using project = await PackageProject.of(packages);
  const code =
    "import { Agent } from 'node:http'; import lib from 'agent'; lib.use(new Agent({ keepAlive: true })); lib.retries(5);";
  const bundle = project.bundle(`${code} const fn = () => lib.describe();`);
  expect(bundle.captured.warnings).toEqual([
    expect.objectContaining({
      path: 'agent agent',
      what: expect.stringMatching(/^undefined when loaded, a value now; .*Agent of node:http/),
      fix: expect.stringContaining('`setup`'),
    }),
  ]);
  expect(await project.call(bundle)).toEqual([true, 5]);
});

test('a fresh load is done again when a file of what a package uses has changed', async () => {
  const inner = (text: string) => installed('node_modules/inner', {}, { 'index.js': text });
  await using project = await PackageProject.of({
    ...installed('node_modules/outer', {}, { 'index.js': "const inner = require('inner'); exports.level = () => inner.level;" }),
    ...inner("exports.level = 'first';"),
  });
  const code = "import outer from 'outer'; const fn = () => outer.level();";
  const changes = (): number => project.bundle(code).captured.roots.filter(({ type }) => type === 'change of a package').length;
  expect(changes()).toBe(0);
  project.write(inner("exports.level = 'the second';"));
  expect(changes()).toBe(0);
});

test('a deploy tells that packages are loaded afresh, and can be cancelled meanwhile', async () => {
  await using project = await PackageProject.of(
    installed(
      'node_modules/slow',
      {},
      {
        'index.js': `
          if (process.argv[1].endsWith('package-state.js')) for (const end = Date.now() + 60_000; Date.now() < end; ) ;
          exports.twice = (x) => 2 * x;`,
      },
    ),
  );
  const outcome = project.run(`
    import { twice } from 'slow';
    import { execFileSync } from 'node:child_process';
    const server = await clipper.startClipper({ name: 'slow-' + process.pid, queryPort: 0, managementPort: 0, rpcPort: 0 });
    const controller = new AbortController();
    const messages = [];
    const onProgress = ({ message }) => { messages.push(message); if (message.includes('afresh')) controller.abort(); };
    const options = { name: 'm', inputType: 'doubles', predictOne: (x) => twice(x[0]), onProgress, signal: controller.signal };
    const { code } = await clipper.deployPredictFunction(server, options).catch((error) => error);
    await server.stopAll();
    const children = execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
    console.log(JSON.stringify({ code, messages, isLeft: children.includes('package-state.js') }));`);
  expect(outcome).toEqual({
    code: 'E_CANCELLED',
    messages: [expect.any(String), 'loading slow afresh, to see what was changed of it'],
    isLeft: false,
  });
});
