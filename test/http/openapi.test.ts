import fc from 'fast-check';
import { z } from 'zod';
import { predictBody, updateBody } from '../../src/http/query/query-endpoints.ts';
import { inputTypes } from '../../src/protocol/input-types.ts';
import { type Cluster, type Reply, startCluster } from '../helpers/cluster.ts';
import { quietConsole } from '../helpers/quiet-console.ts';
import { startReplica } from '../helpers/replica.ts';

quietConsole();

const ports = ['query', 'management'] as const;

type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};
interface Operation {
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema: object }>>;

const documentOf = async (cluster: Cluster, port: (typeof ports)[number]): Promise<Document> => {
  const { status, type, json } = await cluster.get(port, '/openapi.json');
  expect([status, type]).toEqual([200, 'application/json; charset=utf-8']);
  return json;
};

/** A schema of the document as one that checks values. */
function schemaOf({ components }: Document, schema: object): z.ZodType {
  const whole = JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(JSON.parse(whole));
}

test.each(ports)('the document of the %s port is valid OpenAPI 3.1', async (port) => {
  const { Validator } = await import('@seriousme/openapi-schema-validator');
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'iris', model: 'm', inputType: 'doubles' });
  const validator = new Validator();
  const document = await documentOf(cluster, port);
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  // The validator leaves open where references lead.
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref);
  const known = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect(refs.filter((ref) => !known.includes(ref as string))).toEqual([]);
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item)) as { operationId?: string }[];
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
});

test('every endpoint is documented, and what is documented is there', async () => {
  await using cluster = await startCluster();
  const pathsOf = async (port: (typeof ports)[number]) => Object.keys((await documentOf(cluster, port)).paths).sort();
  const model = '/v2/models/{model}';
  const models = [model, `${model}/infer`, `${model}/ready`];
  expect(await pathsOf('query')).toEqual(
    [
      ...['/metrics', '/openapi.json', '/v2', '/v2/health/live', '/v2/health/ready'],
      ...['/{application}/predict', '/{application}/queries', '/{application}/queries/{id}', '/{application}/update'],
      ...models,
      ...models.map((path) => path.replace(model, `${model}/versions/{version}`)),
    ].sort(),
  );
  const management = await pathsOf('management');
  expect(management.filter((path) => path.startsWith('/admin/v1/')).map((path) => path.slice(10))).toEqual([
    'api-keys',
    'api-keys/delete',
    'cluster',
    'deploy',
    'events',
    'feedback/{application}',
    'logs',
    'models',
    'next-version',
    'replicas',
    'shutdown',
    'stop',
    'traffic',
  ]);
  expect(management).toEqual(
    expect.arrayContaining(['/admin/add_app', '/admin/get_all_containers', '/admin/ping', '/openapi.json']),
  );
  for (const port of ports) {
    for (const [path, item] of Object.entries((await documentOf(cluster, port)).paths)) {
      const isElsewhere = 'servers' in (Object.values(item)[0] ?? {});
      if (path === '/admin/v1/shutdown' || isElsewhere) continue;
      const url = path.replaceAll(/\{\w+\}/g, 'x');
      const isGet = 'get' in item;
      const send =
        port === 'query' ? cluster.query : (at: string, body: unknown) => cluster.admin(at.slice('/admin/'.length), body);
      const { text, status } = isGet ? await cluster.get(port, url) : await send(url, '{}');
      expect([path, status, text]).toEqual([path, expect.any(Number), expect.not.stringContaining('"code":"E_UNKNOWN_PATH"')]);
      const statuses = Object.keys(Object.values(item)[0]?.responses ?? {});
      const isDocumented = statuses.some((each) => String(status).startsWith(each.replace('XX', '')));
      expect([path, status, isDocumented]).toEqual([path, status, true]);
    }
  }
});

test('the document of the management port tells of queries too, and where they are sent', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'iris', model: 'm', inputType: 'doubles' });
  const { paths } = await documentOf(cluster, 'management');
  const servers = [{ url: `http://127.0.0.1:${cluster.queryPort}` }];
  expect(paths['/iris/predict']?.post).toMatchObject({ servers });
  expect(paths['/v2/models/{model}/infer']?.post).toMatchObject({ servers });
  expect(paths['/admin/add_app']?.post).not.toHaveProperty('servers');
  const asked = (path: string) => (paths[path]?.post ?? paths[path]?.get) as { security?: object[] };
  expect(asked('/admin/add_app').security).toEqual([{}, { token: [] }]);
  expect(asked('/iris/predict').security).toEqual([{}, { apiKey: [] }, { apiKeyHeader: [] }]);
  expect([asked('/admin/ping').security, asked('/v2').security]).toEqual([undefined, undefined]);
});

test('an application has paths of its own, which say what its inputs are, while it is there', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'iris', model: 'm', inputType: 'integers' });
  const document = await documentOf(cluster, 'query');
  const body = document.paths['/iris/predict']?.post?.requestBody?.content['application/json']?.schema ?? {};
  const accepts = (value: unknown): boolean => schemaOf(document, body).safeParse(value).success;
  expect([{ input: [1, 2] }, { input_batch: [[1], []], version: 2 }].map(accepts)).toEqual([true, true]);
  expect([{ input: [1.5] }, { input: 'x' }, {}, { input_batch: [1] }].map(accepts)).toEqual([false, false, false, false]);
  await cluster.admin('delete_app', { name: 'iris' });
  expect((await documentOf(cluster, 'query')).paths['/iris/predict']).toBeUndefined();
});

test('what the server answers is as its document says', async () => {
  await using cluster = await startCluster();
  await cluster.addLinked({ app: 'a', model: 'm', inputType: 'doubles' });
  const sum = async (_type: unknown, inputs: readonly unknown[]) =>
    (inputs as readonly Float64Array[]).map(([first = 0]) => ({ text: String(first), failed: first < 0 }));
  await using _replica = startReplica(sum, { port: cluster.rpcPort });
  await cluster.replicasConnected(1);
  const documents = { query: await documentOf(cluster, 'query'), management: await documentOf(cluster, 'management') };
  const check = (port: (typeof ports)[number], path: string, { status, type, json, text }: Reply): void => {
    const [operation] = Object.values(documents[port].paths[path] ?? {});
    const answer = operation?.responses[status] ?? operation?.responses[`${String(status)[0]}XX`];
    const schema = answer?.content[type.split(';')[0] as string]?.schema;
    expect([path, status, type, schema]).toEqual([path, status, type, expect.anything()]);
    const value = type.startsWith('text/plain') ? text : json;
    expect(schemaOf(documents[port], schema as object).safeParse(value)).toMatchObject({ success: true });
  };
  const query = async (path: string, body: unknown, documented = path) =>
    check('query', documented, await cluster.query(path, body));
  await query('/a/predict', { input: [1] });
  await query('/a/predict', { input_batch: [[1], [2]], version: '1' });
  await query('/a/predict?explain=1', { input: [4] }, '/a/predict');
  await query('/a/predict?explain=1', { input: [-1] }, '/a/predict');
  const { json: failed } = await cluster.query('/a/predict', { input: [-1] });
  check('query', '/{application}/queries', await cluster.get('query', '/a/queries'));
  check('query', '/{application}/queries/{id}', await cluster.get('query', `/a/queries/${failed.query_id}`));
  check('query', '/{application}/queries/{id}', await cluster.get('query', '/a/queries/12345'));
  await query('/a/predict', { input: 'x' });
  await query('/x/predict', { input: [1] }, '/{application}/predict');
  await query('/a/update', { uid: 0, input: [1], label: 1 });
  const tensor = { name: 'x', datatype: 'FP64', shape: [2, 1], data: [1, 2] };
  await query('/v2/models/a/infer', { inputs: [tensor], id: '1' }, '/v2/models/{model}/infer');
  await query('/v2/models/a/infer', { inputs: [] }, '/v2/models/{model}/infer');
  for (const path of ['/metrics', '/v2', '/v2/health/live', '/v2/health/ready'])
    check('query', path, await cluster.get('query', path));
  check('query', '/metrics', await cluster.get('query', '/metrics', { accept: 'application/json' }));
  check('query', '/v2/models/{model}', await cluster.get('query', '/v2/models/a'));
  check('query', '/v2/models/{model}/ready', await cluster.get('query', '/v2/models/a/ready'));
  check('query', '/v2/models/{model}/ready', await cluster.get('query', '/v2/models/x/ready'));
  const admin = async (name: string, body: unknown) => check('management', `/admin/${name}`, await cluster.admin(name, body));
  for (const verbose of [true, false]) {
    for (const name of ['get_all_applications', 'get_all_models', 'get_all_containers']) await admin(name, { verbose });
  }
  const version = { model_name: 'm', model_version: '1' };
  await admin('get_application', { name: 'a' });
  await admin('get_application', { name: 'x' });
  await admin('get_model', version);
  await admin('get_container', { ...version, replica_id: 0 });
  await admin('get_linked_models', { app_name: 'a' });
  await admin('get_state', { app_name: 'a', uid: 0 });
  await admin('set_model_version', version);
  await admin('add_app', {});
  await admin('v1/next-version', { name: 'm' });
  await admin('v1/logs', { tailLines: 1 });
  await admin('v1/replicas', { name: 'm', version: '1', replicas: 1 });
  await admin('v1/stop', {});
  check('management', '/admin/v1/cluster', await cluster.get('management', '/admin/v1/cluster'));
});

describe.each(inputTypes)('queries of %s', (type) => {
  test('are taken exactly where the schema takes them', async () => {
    await using cluster = await startCluster();
    await cluster.addLinked({ app: 'a', model: 'm', inputType: type });
    const input = fc.oneof(
      fc.array(fc.integer()),
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
      fc.array(fc.constantFrom(1, -0, 1.5, 2 ** 31, null, '1', [1])),
      fc.base64String(),
      fc.string(),
      fc.stringMatching(/^[\w+/-]{0,6}={0,3}$/),
      fc.constantFrom(null, true, 1, {}),
    );
    const key = { requiredKeys: [] };
    const version = fc.constantFrom('1', 1, null, true, {});
    const predict = fc.oneof(
      fc.record({ input, version: fc.constantFrom('1', 1) }, key),
      fc.record({ input_batch: fc.array(input, { maxLength: 3 }), version }, key),
      fc.record({ input, input_batch: fc.oneof(input, fc.array(input, { maxLength: 2 })), version, other: input }, key),
    );
    const number = fc.constantFrom(0, 1.5, '1', null);
    const update = fc.record({ uid: number, input, label: number }, key);
    const agree = (path: string, schema: z.ZodType) => async (body: object) => {
      const sent = JSON.parse(JSON.stringify(body));
      const { status } = await cluster.query(path, sent);
      expect([sent, status]).toEqual([sent, schema.safeParse(sent).success ? 200 : 400]);
    };
    await fc.assert(fc.asyncProperty(predict, agree('/a/predict', predictBody(type))), { numRuns: 200 });
    await fc.assert(fc.asyncProperty(update, agree('/a/update', updateBody(type))), { numRuns: 100 });
  });
});
