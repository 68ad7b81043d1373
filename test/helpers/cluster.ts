import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/log.ts';
import type { ServeOptions } from '../../src/server/parts.ts';
import { serve } from '../../src/server/serve.ts';
import { silentLog } from './silent-log.ts';
import { until } from './until.ts';

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON the server answered
  readonly json: any;
}

/** A whole server in this process, spoken to over HTTP. */
export interface Cluster extends AsyncDisposable {
  readonly rpcPort: number;
  readonly queryPort: number;
  readonly managementPort: number;
  query(path: string, body: unknown, headers?: Record<string, string>): Promise<Reply>;
  admin(path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  get(port: 'query' | 'management', path: string, headers?: Record<string, string>): Promise<Reply>;
  /** Registers an application with a model version linked to it. */
  addLinked(options: {
    readonly app: string;
    readonly model: string;
    readonly inputType: string;
    readonly sloMs?: number;
    /** More of what `add_model` takes. */
    readonly settings?: object;
  }): Promise<void>;
  /** Registers an application that is linked to a model that is there. */
  addApp(options: {
    readonly app: string;
    readonly model: string;
    readonly inputType: string;
    readonly sloMs?: number;
    /** More of what `add_app` takes. */
    readonly settings?: object;
  }): Promise<void>;
  addModel(model: string, version: string | number, options?: object): Promise<Reply>;
  replicasConnected(count: number): Promise<void>;
}

export async function startCluster(options: Partial<ServeOptions> = {}, log: Log = silentLog): Promise<Cluster> {
  const stateDir = await mkdtemp(join(tmpdir(), 'clipper-test-'));
  const ports = { queryPort: 0, managementPort: 0, rpcPort: 0 };
  const limits = { cacheBytes: 1_000_000, maxBodyBytes: 100_000, maxConnections: 10_000 };
  const server = await serve(
    {
      name: `test-${randomUUID()}`,
      backend: 'process',
      host: '127.0.0.1',
      managementHost: '127.0.0.1',
      ...ports,
      ...limits,
      stateDir,
      ...options,
    },
    log,
    () => {},
  );
  const send = async (port: number, path: string, request: RequestInit): Promise<Reply> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, request);
    const text = await response.text();
    const { status, headers } = response;
    return { status, headers, type: headers.get('content-type') ?? '', text, json: parsed(text) };
  };
  const post = (port: number, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
    send(port, path, {
      method: 'POST',
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      headers,
    });
  const admin = (path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Reply> =>
    post(server.managementPort, `/admin/${path}`, body, headers);
  const expectDone = async (reply: Promise<Reply>): Promise<Reply> => {
    const { status, text } = await reply;
    if (status !== 200) throw new Error(`Answered ${status}: ${text}`);
    return reply;
  };
  const addModel = (model: string, version: string | number, rest: object = {}): Promise<Reply> =>
    admin('add_model', { model_name: model, model_version: version, input_type: 'doubles', batch_size: -1, ...rest });
  const addApp: Cluster['addApp'] = async ({ app, model, inputType, sloMs = 10_000, settings = {} }) => {
    const required = { input_type: inputType, default_output: '"default"', latency_slo_micros: sloMs * 1_000 };
    await expectDone(admin('add_app', { name: app, ...required, ...settings }));
    await expectDone(admin('add_model_links', { app_name: app, model_names: [model] }));
  };
  return {
    rpcPort: server.rpcPort,
    queryPort: server.queryPort,
    managementPort: server.managementPort,
    query: (path, body, headers) => post(server.queryPort, path, body, headers),
    admin,
    get: (which, path, headers = {}) => send(which === 'query' ? server.queryPort : server.managementPort, path, { headers }),
    addModel,
    addApp,
    addLinked: async ({ model, inputType, settings = {}, ...rest }) => {
      await expectDone(addModel(model, '1', { input_type: inputType, ...settings }));
      await addApp({ model, inputType, ...rest });
    },
    replicasConnected: async (count) => {
      await until(async () => (await admin('get_all_containers')).json.length === count, `${count} replicas`);
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
