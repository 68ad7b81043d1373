import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { rawRequest } from '../helpers/raw-request.ts';
import { temporaryDir } from '../helpers/temporary-dir.ts';

quietConsole();

const secret = 'what nobody may read';
/** From the folders that names are put into, these lead to the secrets beside the cluster's folder. */
const ways = [
  '../secret',
  '../../secret',
  '../../../secret',
  '..\\..\\secret',
  './/../../secret',
  'a/../../../secret',
  '....//secret',
];
const odd = [
  '',
  '.',
  '..',
  '/',
  'a\0',
  '\0',
  '/etc/passwd',
  'a\nb',
  '~',
  '$(touch x)',
  '`touch x`',
  "'; touch x; '",
  'x'.repeat(5_000),
];
const keys = ['__proto__', 'toString', 'hasOwnProperty', 'a:1', 'a.jsonl', 'a.older', 'Ä', 'a '];
const names = [...ways, ...ways.map((way) => `${way}\0`), ...odd, ...keys];

/** A cluster whose folder lies beside files that are none of its business. */
async function startBeside(parent: string): Promise<Cluster> {
  mkdirSync(join(parent, 'cluster'));
  for (const name of ['secret', 'secret.jsonl', 'log']) writeFileSync(join(parent, name), secret);
  mkdirSync(join(parent, 'evil'));
  writeFileSync(join(parent, 'evil', 'manifest.json'), JSON.stringify({ entry: '../secret', takes: 'batch' }));
  const cluster = await startCluster({ stateDir: join(parent, 'cluster') });
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  return cluster;
}

const filesOf = (dir: string): string[] => readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();

const app = (name: string) => ({ name, input_type: 'doubles', default_output: '', latency_slo_micros: 1_000 });
const deploy = { inputType: 'doubles', labels: [], replicas: 1, env: {}, resources: {}, network: 'cluster' };
/** Every endpoint that takes a name in its body, and what it takes there. */
const bodies = (name: string): readonly (readonly [path: string, body: object])[] => [
  ...(['delete_app', 'get_application'].map((path) => [path, { name }]) as [string, object][]),
  ['add_app', app(name)],
  ['add_model', { model_name: name, model_version: '1', input_type: 'doubles', batch_size: 1 }],
  ['add_model', { model_name: 'm', model_version: name, input_type: 'doubles', batch_size: 1 }],
  ...(['get_model', 'delete_versioned_model', 'set_model_version', 'get_container'].flatMap((path) => [
    [path, { model_name: name, model_version: '1', replica_id: 0 }],
    [path, { model_name: 'm', model_version: name, replica_id: 0 }],
  ]) as [string, object][]),
  ['get_linked_models', { app_name: name }],
  ['get_state', { app_name: name, uid: 0 }],
  ['add_model_links', { app_name: name, model_names: ['m'] }],
  ['add_model_links', { app_name: 'a', model_names: [name] }],
  ['delete_model_links', { app_name: 'a', model_names: [name] }],
  ['v1/deploy', { ...deploy, name, digest: 'f'.repeat(64) }],
  ['v1/deploy', { ...deploy, name: 'new', version: name, digest: 'f'.repeat(64) }],
  ['v1/deploy', { ...deploy, name: 'new', digest: name }],
  ['v1/deploy', { ...deploy, name: 'new', digest: name.replace('secret', 'evil') }],
  ['v1/deploy', { ...deploy, name: 'new', image: name }],
  ['v1/deploy', { ...deploy, name: 'new', digest: 'f'.repeat(64), env: { [name]: name } }],
  ['v1/next-version', { name }],
  ['v1/replicas', { name, version: name, replicas: 1 }],
  ['v1/stop', { models: [{ name, version: name }] }],
  ['v1/logs', { name, tailLines: 10 }],
  ['v1/logs', { name: 'm', version: name, tailLines: 10 }],
  ['v1/api-keys', { application: name }],
  ['v1/api-keys/delete', { application: name, key: name }],
];

test('a name in a body leads to no file, and none that isn’t one is taken', async () => {
  await using parent = await temporaryDir();
  await using cluster = await startBeside(parent.path);
  const before = filesOf(parent.path);
  for (const name of names) {
    for (const [path, body] of bodies(name)) {
      const { status, text } = await cluster.admin(path, body);
      expect([path, name.slice(0, 40), status < 500, text.includes(secret)]).toEqual([path, name.slice(0, 40), true, false]);
    }
  }
  expect((await cluster.admin('get_all_applications')).json).toEqual(['a']);
  expect((await cluster.admin('get_all_models')).json).toEqual(['m:1']);
  expect(filesOf(parent.path)).toEqual(before);
});

test('a name in a URL leads to no file, however it is written', async () => {
  await using parent = await temporaryDir();
  await using cluster = await startBeside(parent.path);
  const before = filesOf(parent.path);
  const spellings = (name: string): readonly string[] => [
    encodeURIComponent(name),
    encodeURIComponent(encodeURIComponent(name)),
    name.replaceAll('.', '%2e').replaceAll('/', '%2F'),
    name.replaceAll('..', '%c0%ae%c0%ae'),
    name,
  ];
  // Without a name, the path is another one.
  const urls = [...new Set(names.flatMap(spellings))].filter((name) => !/[\0-\x20\x7f-\uffff]|^\/?$/.test(name));
  for (const name of urls) {
    const requests = [
      [cluster.queryPort, 'POST', `/${name}/predict`, { input: [1] }],
      [cluster.queryPort, 'POST', `/${name}/update`, { uid: 0, input: [1], label: 1 }],
      [cluster.queryPort, 'GET', `/${name}/queries`, {}],
      [cluster.queryPort, 'GET', `/a/queries/${name}`, {}],
      [cluster.queryPort, 'GET', `/v2/models/${name}`, {}],
      [cluster.queryPort, 'GET', `/v2/models/a/versions/${name}`, {}],
      [cluster.queryPort, 'POST', `/v2/models/${name}/infer`, {}],
      [cluster.managementPort, 'GET', `/admin/v1/feedback/${name}`, {}],
    ] as const;
    for (const [port, method, path, body] of requests) {
      const { status, answer } = await rawRequest(port, { method, path, body });
      expect([path, status >= 400 && status < 500, answer.includes(secret)]).toEqual([path, true, false]);
    }
  }
  expect(filesOf(parent.path)).toEqual(before);
  expect((await cluster.query('/a/predict', { input: [1] })).status).toBe(200);
}, 60_000);

test('a name that means something to JavaScript is one like any other', async () => {
  await using parent = await temporaryDir();
  await using cluster = await startBeside(parent.path);
  await cluster.addApp({ app: 'constructor', model: 'm', inputType: 'doubles' });
  expect((await cluster.query('/constructor/predict', { input: [1] })).json).toMatchObject({ output: 'default' });
  expect((await cluster.query('/constructor/update', { uid: 0, input: [1], label: 1 })).status).toBe(200);
  expect((await cluster.query('/valueof/predict', { input: [1] })).status).toBe(404);
});

test('of feedback, each application has files of its own name only', async () => {
  await using parent = await temporaryDir();
  await using cluster = await startBeside(parent.path);
  await cluster.query('/a/update', { uid: 0, input: [1], label: 1 });
  expect(filesOf(join(parent.path, 'cluster', 'feedback'))).toEqual(['a.jsonl']);
  await cluster.admin('delete_app', { name: 'a' });
  expect(filesOf(join(parent.path, 'cluster', 'feedback'))).toEqual([]);
});
