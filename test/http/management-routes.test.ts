import { type Cluster, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { RawContainer } from '../helpers/raw-container.ts';

quietConsole();

const appOf = (name: string, rest: object = {}): object => ({
  name,
  input_type: 'doubles',
  default_output: '-1.0',
  latency_slo_micros: 100_000,
  ...rest,
});

/** Expects success with exactly this text. */
async function done(reply: ReturnType<Cluster['admin']>, text: string): Promise<void> {
  expect(await reply).toMatchObject({ status: 200, text });
}

/** Expects a refusal with a plain-text reason. */
async function refused(reply: ReturnType<Cluster['admin']>, reason: string | RegExp): Promise<void> {
  expect(await reply).toMatchObject({
    status: 400,
    type: expect.stringContaining('text/plain'),
    text: expect.stringMatching(reason),
  });
}

test('applications are added, described and deleted', async () => {
  await using cluster = await startCluster();
  await done(cluster.admin('add_app', appOf('a', { input_type: 'int' })), "Successfully added application with name 'a'");
  await refused(cluster.admin('add_app', appOf('a')), "An application with name 'a' already exists");
  await done(cluster.admin('add_app', appOf('b')), "Successfully added application with name 'b'");
  const described = { ...appOf('a', { input_type: 'integers' }), linked_models: [] };
  expect((await cluster.admin('get_application', { name: 'a' })).json).toEqual(described);
  expect((await cluster.admin('get_application', { name: 'x' })).text).toBe('{}');
  expect((await cluster.admin('get_all_applications', { verbose: false })).json).toEqual(['a', 'b']);
  expect((await cluster.admin('get_all_applications', { verbose: true })).json[0]).toEqual(described);
  await done(cluster.admin('get_state', { app_name: 'a', uid: 0 }), '-1.0');
  await done(cluster.admin('delete_app', { name: 'a' }), "Successfully deleted application with name 'a'");
  await refused(cluster.admin('delete_app', { name: 'a' }), "'a'");
  expect(await cluster.query('/a/predict', { input: [1] })).toMatchObject({ status: 404 });
});

test('model versions are added, set, described and deleted', async () => {
  await using cluster = await startCluster();
  const rest = { labels: ['x', 'y'], container_name: 'image', model_data_path: '/data', batch_size: 4 };
  await done(cluster.addModel('m', 1, rest), "Successfully added model with name 'm' and input type 'doubles'");
  await done(cluster.addModel('m', '2', { input_type: 'd' }), "Successfully added model with name 'm' and input type 'doubles'");
  await refused(cluster.addModel('m', '1'), "'m' and version '1' already exists");
  const one = { model_name: 'm', model_version: '1' };
  const described = { ...one, input_type: 'doubles', ...rest, is_current_version: false };
  expect((await cluster.admin('get_model', { model_name: 'm', model_version: 1 })).json).toEqual(described);
  expect((await cluster.admin('get_model', { ...one, model_version: '9' })).text).toBe('{}');
  expect((await cluster.admin('get_all_models', {})).json).toEqual(['m:1', 'm:2']);
  const verbose = await cluster.admin('get_all_models', { verbose: true });
  expect(verbose.json).toMatchObject([described, { model_version: '2', labels: [], is_current_version: true }]);
  await done(cluster.admin('set_model_version', one), "Successfully set model with name 'm' to version '1'");
  expect((await cluster.admin('get_model', one)).json.is_current_version).toBe(true);
  await refused(cluster.admin('set_model_version', { ...one, model_version: '9' }), "version '9'");
  const two = { ...one, model_version: '2' };
  await done(cluster.admin('delete_versioned_model', two), "Successfully deleted model with name 'm' and version '2'");
  await refused(cluster.admin('delete_versioned_model', two), "version '2'");
});

test('links join one model of the right type to an application', async () => {
  await using cluster = await startCluster();
  await cluster.admin('add_app', appOf('a'));
  await cluster.addModel('m', '1');
  await cluster.addModel('n', '1');
  await cluster.addModel('texts', '1', { input_type: 'strings' });
  const link = (...model_names: string[]) => ({ app_name: 'a', model_names });
  await refused(cluster.admin('add_model_links', link('m', 'n')), 'Expected exactly one model name, got 2');
  await refused(cluster.admin('add_model_links', link()), 'got 0');
  await refused(cluster.admin('add_model_links', link('texts')), 'takes strings');
  await refused(cluster.admin('add_model_links', link('x')), "'x'");
  await refused(cluster.admin('add_model_links', { app_name: 'b', model_names: ['m'] }), "'b'");
  await done(cluster.admin('add_model_links', link('m')), "Successfully linked model with name 'm' to application 'a'");
  await refused(cluster.admin('add_model_links', link('n')), "linked to model 'm' already");
  expect((await cluster.admin('get_linked_models', { app_name: 'a' })).json).toEqual(['m']);
  await refused(cluster.admin('get_linked_models', { app_name: 'b' }), "'b'");
  await refused(cluster.addModel('m', '2', { input_type: 'strings' }), 'takes strings');
  await refused(cluster.admin('delete_model_links', link('n')), "'n' is not linked");
  await done(cluster.admin('delete_model_links', link('m')), 'Success!');
  expect((await cluster.admin('get_linked_models', { app_name: 'a' })).json).toEqual([]);
});

test('containers are listed while they are connected', async () => {
  await using cluster = await startCluster();
  using container = new RawContainer(cluster.rpcPort);
  await container.announce({ name: 'm', version: '2', inputType: '4' });
  await cluster.replicasConnected(1);
  const described = { model_id: 'm:2', model_name: 'm', model_version: '2', model_replica_id: 0, input_type: 'strings' };
  expect((await cluster.admin('get_all_containers', { verbose: false })).json).toEqual(['m:2:0']);
  expect((await cluster.admin('get_all_containers', { verbose: true })).json).toEqual([described]);
  const asked = { model_name: 'm', model_version: 2, replica_id: 0 };
  expect((await cluster.admin('get_container', asked)).json).toEqual(described);
  expect((await cluster.admin('get_container', { ...asked, replica_id: 1 })).text).toBe('{}');
  container[Symbol.dispose]();
  await cluster.replicasConnected(0);
});

describe('refusals of what is malformed', () => {
  test.each([
    ['no JSON', 'add_app', '{"name"'],
    ['a field missing', 'add_app', { name: 'a', input_type: 'd', default_output: '' }],
    ['a field of the wrong type', 'add_app', appOf('a', { latency_slo_micros: '5' })],
    ['an objective of 0', 'add_app', appOf('a', { latency_slo_micros: 0 })],
    ['no batch_size', 'add_model', { model_name: 'm', model_version: '1', input_type: 'd' }],
    ['a batch_size of 0', 'add_model', { model_name: 'm', model_version: '1', input_type: 'd', batch_size: 0 }],
  ])('%s', async (_what, path, body) => {
    await using cluster = await startCluster();
    const expected = typeof body === 'string' ? /^Error parsing JSON: / : /^Error parsing JSON: .+\. Expected JSON schema: \{/;
    await refused(cluster.admin(path, body), expected);
    expect((await cluster.admin('get_all_applications')).json).toEqual([]);
  });

  test('names, versions, labels and input types that Clipper does not have', async () => {
    await using cluster = await startCluster();
    await refused(cluster.admin('add_app', appOf('a', { input_type: 'tensor' })), /Unknown input type "tensor".*doubles/);
    await refused(cluster.admin('add_app', appOf('A b')), 'application name');
    await refused(cluster.addModel('m:n', '1'), 'model name');
    await refused(cluster.addModel('m', '1:2'), 'version');
    await refused(cluster.addModel('m', '1', { labels: ['a,b'] }), 'label');
    expect((await cluster.admin('get_all_models')).json).toEqual([]);
  });
});

test('ping answers, and an unknown path is 404 with JSON', async () => {
  await using cluster = await startCluster();
  expect(await cluster.get('management', '/admin/ping')).toMatchObject({ status: 200, text: 'PONG' });
  expect(await cluster.admin('nothing')).toMatchObject({ status: 404, json: { error: 'Not found', code: 'E_UNKNOWN_PATH' } });
});
