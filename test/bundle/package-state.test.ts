import { installed, PackageProject } from '../helpers/package-project.ts';

/** Packages as their authors and compilers write them. */
const packages = {
  // Limits calls, as a function that carries methods and accessors.
  ...installed(
    'node_modules/counted',
    {},
    {
      'index.js': `
      exports.counted = (factor) => {
        let calls = 0;
        const run = (x) => { calls += 1; return x * factor; };
        Object.defineProperties(run, {
          calls: { get: () => calls },
          twice: { value(x) { return run(run(x)); } },
        });
        return run;
      };`,
    },
  ),
  // Keeps items under a symbol that only its module has.
  ...installed(
    'node_modules/bag',
    { type: 'module', exports: './index.js' },
    {
      'index.js': `
      const items = Symbol('items');
      export class Bag {
        constructor() { this[items] = []; }
        add(item) { this[items].push(item); return this; }
        get size() { return this[items].length; }
      }`,
    },
  ),
  // What TypeScript makes of #private members for older targets, with a subclass in another module.
  ...installed(
    'node_modules/account',
    {},
    {
      'base.js': `
      var _Base_id;
      class Base { constructor(id) { _Base_id.set(this, id); } id() { if (!_Base_id.has(this)) throw new TypeError('no Base'); return _Base_id.get(this); } }
      _Base_id = new WeakMap();
      exports.Base = Base;`,
      'index.js': `
      const { Base } = require('./base.js');
      var _Account_instances, _Account_sum, _Account_pay;
      class Account extends Base {
        constructor(id) { super(id); _Account_instances.add(this); _Account_sum.set(this, { sum: 0 }); }
        pay(x) {
          if (!_Account_instances.has(this)) throw new TypeError('no Account');
          return _Account_pay.call(this, x);
        }
      }
      _Account_instances = new WeakSet(); _Account_sum = new WeakMap();
      _Account_pay = function (x) { const state = _Account_sum.get(this); state.sum += x; return [this.id(), state.sum]; };
      exports.Account = Account;`,
    },
  ),
  // A model in the memory of WebAssembly.
  ...installed(
    'node_modules/in-memory',
    {},
    {
      'index.js': `
      const memory = new WebAssembly.Memory({ initial: 1 });
      let next = 0;
      class Model { constructor(x) { this.at = next; next += 8; new Float64Array(memory.buffer)[this.at / 8] = x; } predict(x) { return x * new Float64Array(memory.buffer)[this.at / 8]; } }
      exports.Model = Model;
      exports.plain = (x) => ({ x });`,
    },
  ),
};

test.each([
  [
    'a function that carries methods and accessors',
    "import { counted } from 'counted'; const run = counted(3); run(1); const fn = () => [run.twice(2), run.calls];",
    [18, 3],
  ],
  [
    'a symbol that only the module has',
    "import { Bag } from 'bag'; const bag = new Bag().add(1); const fn = () => bag.add(2).size + new Bag().add(1).size;",
    3,
  ],
  [
    'weak collections in which a module keeps the private state of instances',
    "import { Account } from 'account'; const account = new Account('a'); account.pay(2); const fn = () => [account.pay(3), new Account('b').pay(1)];",
    [
      ['a', 5],
      ['b', 1],
    ],
  ],
  [
    'what holds nothing of a memory, of a package that has one',
    "import { plain } from 'in-memory'; const it = plain(1); const fn = () => it.x;",
    1,
  ],
])('%s', async (_what, code, expected) => {
  await using project = await PackageProject.of(packages);
  expect(await project.call(project.bundle(code))).toEqual(expected);
});

test('an instance of which only an address is in JavaScript is refused', async () => {
  await using project = await PackageProject.of(packages);
  const code = "import { Model } from 'in-memory'; const model = new Model(2);";
  const { error } = project.bundle(`${code} const fn = () => model.predict(3);`);
  expect(error).toMatchObject({
    code: 'E_NOT_CAPTURABLE',
    message: expect.stringMatching(/captured "model": an instance of Model, whose state is in the memory.*\n.*`setup`/),
  });
  // The fix, word for word.
  expect(await project.call(project.bundle("import { Model } from 'in-memory'; const fn = () => new Model(2).predict(3);"))).toBe(
    6,
  );
});

test('what can not travel of one object of a package is refused once, by the user’s variable', async () => {
  await using project = await PackageProject.of({
    ...installed(
      'node_modules/client',
      { version: '2.1.0' },
      {
        'index.js': `
          const agents = new WeakSet();
          class Client {
            constructor() { this.config = { handler: { ready: Promise.resolve(1) }, other: Promise.resolve(2) }; this.seen = new WeakSet(); }
            ask(x) { return 2 * x; }
          }
          exports.Client = Client;`,
      },
    ),
  });
  const code =
    "import { Client } from 'client'; class Repo { client = new Client(); } const repo = new Repo(); const client = new Client();";
  const { error } = project.bundle(`${code} const fn = () => [client.ask(1), repo.client.ask(1)];`);
  expect(error?.message).toMatch(/^2 captured values can't travel/);
  const fix = (name: string, made: string): string =>
    `Fix: create it in \`setup\`, which runs in the replica, and take it from what that returns: setup: () => ({ ${name}: ${made} }), predict: (inputs, { ${name} }) => ….`;
  expect(error?.message).toContain(
    'fn → captured "client": an instance of Client of client 2.1.0, which holds a WeakSet (.seen), and 2 more that can\'t travel.',
  );
  expect(error?.message).toContain(fix('client', 'new Client(…)'));
  expect(error?.message).toContain('fn → captured "repo" → .client: an instance of Client of client 2.1.0');
  expect(error?.message).toContain(fix('repo', 'new Client(…)'));
});

test('an instance that holds a handle is refused once, also if its module keeps state of it', async () => {
  await using project = await PackageProject.of({
    ...installed(
      'node_modules/line',
      {},
      {
        'index.js': `
          const { Socket } = require('net');
          const states = new WeakMap();
          exports.Line = class Line extends Socket { constructor() { super(); states.set(this, { self: this }); } };`,
      },
    ),
  });
  const { error } = project.bundle("import { Line } from 'line'; const line = new Line(); const fn = () => line.destroyed;");
  expect(error).toMatchObject({
    code: 'E_NOT_CAPTURABLE',
    message: expect.stringMatching(/^A captured value can't travel to a replica:\n.*captured "line": Socket of node:net/),
  });
});
