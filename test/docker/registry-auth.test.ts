import { checkReference, parseReference, pullableReference } from '../../src/docker/reference.ts';
import { authFor } from '../../src/docker/registry-auth.ts';
import { dockerUser, storedAuth } from '../helpers/docker-user.ts';

const hub = 'https://index.docker.io/v1/';
const answer = (user: string, secret: string): string => `echo '{"ServerURL":"x","Username":"${user}","Secret":"${secret}"}'`;

test.each([
  ['node', 'docker.io', 'node', undefined, undefined],
  ['team/model:1', 'docker.io', 'team/model', '1', undefined],
  ['docker.io/team/model', 'docker.io', 'docker.io/team/model', undefined, undefined],
  ['index.docker.io/team/model', 'docker.io', 'index.docker.io/team/model', undefined, undefined],
  ['localhost/model:1', 'localhost', 'localhost/model', '1', undefined],
  ['localhost:5000/a/b', 'localhost:5000', 'localhost:5000/a/b', undefined, undefined],
  ['ghcr.io/team/model:1.0', 'ghcr.io', 'ghcr.io/team/model', '1.0', undefined],
  ['[::1]:5000/model:1', '[::1]:5000', '[::1]:5000/model', '1', undefined],
  ['r:5000/m:1@sha256:00ff', 'r:5000', 'r:5000/m', '1', 'sha256:00ff'],
])('takes %s apart as Docker does', (reference, host, name, tag, digest) => {
  expect(parseReference(reference)).toEqual({ host, name, tag, digest });
});

test('a name without a tag means the latest, and a digest goes before a tag', () => {
  expect(pullableReference('localhost:5000/model')).toBe('localhost:5000/model:latest');
  expect(pullableReference('r:5000/m:1@sha256:00ff')).toBe('r:5000/m@sha256:00ff');
});

test.each(['node', 'sha256:00ff', '[::1]:5000/a/b:1@sha256:00ff', 'Foo/Bar'])('%s may be the name of an image', (reference) => {
  expect(checkReference(reference)).toBe(reference);
});

test.each([
  '',
  'a b',
  '../../containers/json',
  'a/../b',
  'a//b',
  '/a',
  'a/',
  'x?y=1',
  'x#y',
  'a%2e',
  'a\nb',
])('%j would be another question to the engine', (reference) => {
  expect(() => checkReference(reference)).toThrow(expect.objectContaining({ code: 'E_INVALID_OPTION' }));
});

describe('credentials', () => {
  test('that were given go to their own registry, and to no other', async () => {
    await using _user = await dockerUser({ auths: { 'ghcr.io': { auth: storedAuth('bob', 'b') } } });
    const given = { username: 'alice', password: 'a', serveraddress: 'r:5000' };
    expect(await authFor('r:5000/ns/model:1', given)).toEqual(given);
    expect(await authFor('ghcr.io/team/model', given)).toEqual({ username: 'bob', password: 'b', serveraddress: 'ghcr.io' });
    expect(await authFor('node:22', given)).toBeUndefined();
  });

  test('are those that docker login stored, however it wrote the registry', async () => {
    const auths = {
      'https://r:5000/v2/': { auth: storedAuth('alice', 'pass:word') },
      [hub]: { auth: storedAuth('hubber', 'h') },
      'acr.io': { auth: storedAuth('00000000', ''), identitytoken: 'refresh' },
      'empty.io': {},
    };
    await using _user = await dockerUser({ auths });
    expect(await authFor('r:5000/m:1')).toEqual({ username: 'alice', password: 'pass:word', serveraddress: 'r:5000' });
    expect(await authFor('node')).toEqual({ username: 'hubber', password: 'h', serveraddress: hub });
    expect(await authFor('acr.io/m')).toEqual({ username: '00000000', identitytoken: 'refresh', serveraddress: 'acr.io' });
    expect(await authFor('empty.io/m')).toBeUndefined();
  });

  test('are asked of the helper of the registry, else of the one for all, else they are the stored ones', async () => {
    const config = {
      credHelpers: { 'own.io': 'one' },
      credsStore: 'all',
      auths: { 'stored.io': { auth: storedAuth('stored', 's') }, 'own.io': { auth: storedAuth('old', 'o') } },
    };
    const all = `read -r server; case "$server" in
      token.io) ${answer('<token>', 'refresh')};;
      ${hub}) ${answer('hubber', 'h')};;
      *) echo 'credentials not found in native keychain'; exit 1;; esac`;
    const programs = { 'docker-credential-one': answer('one', '1'), 'docker-credential-all': all };
    await using _user = await dockerUser(config, programs);
    expect(await authFor('own.io/m')).toEqual({ username: 'one', password: '1', serveraddress: 'own.io' });
    expect(await authFor('token.io/m')).toEqual({ identitytoken: 'refresh', serveraddress: 'token.io' });
    expect(await authFor('team/m')).toEqual({ username: 'hubber', password: 'h', serveraddress: hub });
    expect(await authFor('stored.io/m')).toEqual({ username: 'stored', password: 's', serveraddress: 'stored.io' });
    expect(await authFor('unknown.io/m')).toBeUndefined();
  });

  test.each([
    ['is not there', {}, /r:5000 .*docker-credential-xyz.*it is not in PATH.*\n.*Fix: install it/s],
    ['fails', { 'docker-credential-xyz': 'echo "the keychain is locked" >&2; exit 1' }, /xyz.*the keychain is locked/],
    ['fails without a word', { 'docker-credential-xyz': 'exit 3' }, /xyz.*it ended with code 3/],
    ['gives no JSON', { 'docker-credential-xyz': 'echo secret' }, /xyz.*its answer is not JSON$/],
    ['gives other JSON', { 'docker-credential-xyz': 'echo "{}"' }, /xyz.*no Username and Secret/],
  ])('a helper that %s is named', async (_, programs, message) => {
    await using _user = await dockerUser({ credHelpers: { 'r:5000': 'xyz' } }, programs as Record<string, string>);
    await expect(authFor('r:5000/m')).rejects.toMatchObject({
      code: 'E_REGISTRY_FAILED',
      message: expect.stringMatching(message),
    });
  });

  test('that can not be read are refused', async () => {
    await using _user = await dockerUser({ auths: { 'r:5000': { auth: 'bm9jb2xvbg==' } } });
    await expect(authFor('r:5000/m')).rejects.toMatchObject({
      code: 'E_INVALID_OPTION',
      message: expect.stringContaining('docker login r:5000'),
    });
  });
});
