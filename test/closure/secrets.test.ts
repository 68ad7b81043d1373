import { bundleClosure } from '../../src/bundle/bundle.ts';
import { captureClosure } from '../../src/closure/capture-closure.ts';
import { explainClosure } from '../../src/closure/explain-closure.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

// Put together here, so that nobody's scanner takes this file for a leak.
const join = (...parts: string[]): string => parts.join('');
const githubToken = join('gh', 'p_', 'aB3dE5gH7jK9mN1pQ3sT5vX7zA9cD1fG3iK5');

const warningsOf = async (fn: Function): Promise<string[]> =>
  (await captureClosure(fn)).warnings.map(({ path, what }) => `${path}: ${what}`);

describe('known shapes are found under any name', () => {
  test.each([
    ['AWS', join('AKIA', 'IOSFODNN7EXAMPLE')],
    ['GitHub', githubToken],
    ['GitHub, fine-grained', join('github', '_pat_', '11ABCDEFG0aBcDeFgHiJkLmNoPqRsTuVwXyZ')],
    ['GitLab', join('glp', 'at-', 'aB3dE5gH7jK9mN1pQ3sT')],
    ['Slack', join('xox', 'b-', '123456789012-abcdefABCDEF')],
    ['Stripe', join('sk_', 'live_', 'aB3dE5gH7jK9mN1pQ3sT5vX7')],
    ['OpenAI', join('sk', '-proj-', 'aB3dE5gH7jK9mN1pQ3sT5vX7')],
    ['Google', join('AI', 'za', 'SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q')],
    ['Hugging Face', join('hf', '_', 'aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH')],
    ['JWT', join('ey', 'JhbGciOiJIUzI1NiJ9.', 'ey', 'JzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N')],
    ['PEM', '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGlRFBf9aB3dE5gH7\n-----END EC PRIVATE KEY-----\n'],
    ['URL', 'postgres://app:s3cr3t-pw@db.internal:5432/app'],
    ['a request header', 'Bearer aB3dE5gH7jK9mN1pQ3sT'],
  ])('%s', async (_kind, text) => {
    const settings = { nested: [{ plain: text }] };
    const warnings = await warningsOf(function predict() {
      return settings;
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('predict → captured "settings" → .nested → [0] → .plain: ');
    expect(warnings[0]).not.toContain(text.slice(0, 6));
    const [warning] = (await captureClosure(() => settings)).warnings;
    expect(warning?.fix).toContain('process.env');
  });
});

describe('names that claim a credential', () => {
  test.each([
    'password',
    'dbPassword',
    'DB_PASSWD',
    'clientSecret',
    'api_key',
    'apiKey',
    'API_KEY_PROD',
    'accessKey',
    'privateKey',
    'authToken',
    'auth',
  ])('%s', async (name) => {
    const options = { [name]: 'hunter2-Hunter3' };
    expect(await warningsOf(() => options)).toEqual([expect.stringContaining(`captured "options" → .${name}: what its name`)]);
  });

  test.each([
    ['tokenizer', 'hunter2-Hunter3'],
    ['passwordField', 'hunter2-Hunter3'],
    ['secretary', 'hunter2-Hunter3'],
    ['author', 'hunter2-Hunter3'],
    ['password', 'short1'],
    ['password', 'changeme'],
    ['password', 'xxxxxxxxxxxx'],
    ['password', '<your password>'],
    ['password', 'Enter your password, please'],
    ['apiKey', 'your-api-key-here'],
    ['apiKey', 'OPENAI_API_KEY'],
    ['apiKey', 'x-api-key'],
    ['token', 'international'],
    ['auth', 'https://auth.example.com/v1/login'],
    ['privateKey', '/etc/keys/private1.pem'],
    ['text', 'a-skirt and other words'],
    ['url', 'https://example.com/a:b@c'],
  ])('%s: "%s" is none', async (name, text) => {
    const options = { [name]: text };
    expect(await warningsOf(() => options)).toEqual([]);
  });
});

describe('wherever it lies', () => {
  const password = 'hunter2-Hunter3';
  class Client {
    #apiKey = 'k3y-0f-the-client';
    static token = githubToken;
    call = () => this.#apiKey;
  }
  const client = new Client();
  const headers = new Map([['Authorization', 'Basic dXNlcjpodW50ZXIyMg==']]);
  const bound = ((key: string) => key).bind(undefined, githubToken);
  const link = new URL('https://bot:s3cr3t-pw@example.com/');
  const secrets = { database: 'q7w8e9r0t1' };
  const frozen = Object.freeze({ password });

  test.each([
    ['a variable', () => password, 'captured "password"'],
    ['a private field', () => client.call(), 'captured "client" → .#apiKey'],
    ['a static member', () => Client.token, 'captured "Client" → .token'],
    ['a Map entry', () => headers, 'captured "headers" → Map entry Authorization'],
    ['a bound argument', () => bound(), 'captured "bound" → bound argument 0'],
    ['a URL object', () => link, 'captured "link"'],
    ['an object whose name says it', () => secrets, 'captured "secrets" → .database'],
    ['a frozen object', () => frozen, 'captured "frozen" → .password'],
  ])('%s', async (_what, fn, path) => {
    const warnings = await warningsOf(fn);
    expect(warnings.join('\n')).toContain(`function → ${path}`);
    expect(warnings.join('\n')).not.toMatch(/hunter2|k3y-0f|s3cr3t|q7w8|dXNl/);
  });

  test.each([
    ['a key', { [githubToken]: 'alice' }, ' → key'],
    ['the key of a Map', new Map([[githubToken, ['alice']]]), ' → Map key'],
  ])('%s, which is shown nowhere', async (_what, users, path) => {
    const report = await explainClosure(() => [users]);
    expect(report.warnings).toEqual([expect.objectContaining({ path: `function → captured "users"${path}` })]);
    expect(JSON.stringify(report.roots) + String(report)).not.toContain(githubToken.slice(0, 8));
  });

  test('the text of a function', async () => {
    const fn = new Function(`return 1 +\n '${githubToken}'`);
    expect(await warningsOf(fn)).toEqual([
      expect.stringMatching(/line \d of its text: a GitHub token \("ghp_…", 40 characters\)/),
    ]);
  });

  test('a variable that several functions use is reported once', async () => {
    const both = [() => password, () => password.length];
    expect(await warningsOf(() => both)).toHaveLength(1);
  });

  test('of alike objects the first stands for all', async () => {
    const users = Array.from({ length: 1_000 }, (_, id) => ({ id, password: `pa55word-${id}` }));
    expect(await warningsOf(() => users)).toEqual([expect.stringContaining('captured "users" → [0] → .password')]);
  });

  test('a hundred are enough', async () => {
    const users = Object.fromEntries(Array.from({ length: 150 }, (_, id) => [`u${id}`, { password: `pa55word-${id}` }]));
    const warnings = await warningsOf(() => users);
    expect(warnings).toHaveLength(101);
    expect(warnings.at(-1)).toContain('and 50 more');
  });
});

describe('the option `secrets`', () => {
  const apiKey = githubToken;
  const pending = Promise.resolve();
  const fn = () => [apiKey, pending];

  test("'refuse' makes them errors, together with what can't travel", async () => {
    const refused = captureClosure(fn, { secrets: 'refuse' });
    await expect(refused).rejects.toMatchObject({ code: 'E_NOT_CAPTURABLE' });
    await expect(refused).rejects.toThrow(
      /2 captured values[\s\S]*captured "pending"[\s\S]*captured "apiKey": a GitHub token \("ghp_…"/,
    );
    const report = await explainClosure(fn, { secrets: 'refuse' });
    expect([report.problems.length, report.warnings.length]).toEqual([2, 0]);
  });

  test("'allow' says nothing", async () => {
    expect((await captureClosure(() => apiKey, { secrets: 'allow' })).warnings).toEqual([]);
  });

  test("'warn' is the default, and an X-ray marks them", async () => {
    const report = await explainClosure(() => apiKey);
    expect(report.warnings).toHaveLength(1);
    expect(report.roots[0]?.children[0]?.flags).toEqual([{ kind: 'credentials', message: expect.stringContaining('ghp_…') }]);
    expect(String(report)).toMatch(/^! └─ captured "apiKey"/m);
    expect(String(report)).not.toContain(githubToken.slice(0, 8));
  });

  test('a bundle takes it, and has the warnings', async () => {
    await using dir = await temporaryDir();
    const { captured } = await bundleClosure(() => apiKey, { outDir: dir.path });
    expect(captured.warnings).toEqual([expect.objectContaining({ path: 'function → captured "apiKey"' })]);
    await expect(bundleClosure(() => apiKey, { outDir: dir.path, secrets: 'refuse' })).rejects.toMatchObject({
      code: 'E_NOT_CAPTURABLE',
    });
  });

  test.each([[{ secrets: 'never' }], [{ secret: 'warn' }]])('%j is refused', async (options) => {
    await expect(captureClosure(() => 1, options as never)).rejects.toMatchObject({ code: 'E_INVALID_OPTION' });
  });
});

describe('process.env', () => {
  beforeAll(() => {
    for (const name of ['A', 'B', 'C', 'D', 'E', 'F']) process.env[`CLIPPER_TEST_${name}`] = `value ${name}`;
  });
  const { env } = process;

  test.each([
    ['spread', () => ({ ...process.env })],
    ['assigned', () => Object.assign({ mine: 1 }, process.env)],
    ['nested', () => ({ deep: [{ env: { ...process.env } }] })],
    ['frozen', () => Object.freeze({ ...process.env })],
    ['in a Map', () => new Map(Object.entries(process.env))],
  ])('a copy is refused: %s', async (_how, make) => {
    const copy = make();
    const refused = captureClosure(() => copy, { secrets: 'allow' });
    await expect(refused).rejects.toThrow(/captured "copy".*a copy of `process\.env`[\s\S]*use `process\.env` by itself/);
  });

  test('by itself it is a reference', async () => {
    const report = await explainClosure(() => [env.HOME, process.env.HOME]);
    expect([report.problems, report.warnings]).toEqual([[], []]);
    expect(report.roots[0]?.children).toEqual([expect.objectContaining({ name: 'captured "env"', how: 'reference' })]);
  });

  test('some of its variables may travel', async () => {
    const { CLIPPER_TEST_A, CLIPPER_TEST_B } = process.env;
    const some = { CLIPPER_TEST_A, CLIPPER_TEST_B, x: 1, y: 2, z: 3 };
    expect(await warningsOf(() => some)).toEqual([]);
  });
});
