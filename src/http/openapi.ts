import { STATUS_CODES } from 'node:http';
import { z } from '../util/zod.ts';

/** What a body holds, by media type; a schema alone stands for JSON. */
export type Content = z.ZodType | Readonly<Record<string, z.ZodType>>;

/** The credential that an endpoint requires: the cluster's token, or a key of the application. */
export type Credential = 'token' | 'apiKey' | 'nothing';

/** One endpoint, as it is served and as the API's document describes it. */
export interface ApiEndpoint {
  readonly method: 'GET' | 'POST';
  /** With its parameters in braces: `/{application}/predict`. */
  readonly path: string;
  /** Its name in generated clients; unique. */
  readonly name: string;
  readonly tag: string;
  readonly summary: string;
  /** Request headers that it reads. */
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  /** Parameters of the URL. */
  readonly query?: Readonly<Record<string, z.ZodType>>;
  /** Its server, if that is not the document's. */
  readonly url?: string;
  readonly body?: Content;
  readonly asks?: Credential;
  /** By status: `200`, `4XX`. */
  readonly answers: Readonly<Record<string, Content>>;
}

type Json = Record<string, unknown>;

const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: "The cluster's token, if management requires one." },
  apiKey: { type: 'http', scheme: 'bearer', description: 'A key of the application, if it has keys.' },
  apiKeyHeader: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'The same.' },
};
/** The empty alternative is enough if there is no token or key. */
const security = {
  token: [{}, { token: [] }],
  apiKey: [{}, { apiKey: [] }, { apiKeyHeader: [] }],
  nothing: [],
};

/** Writes endpoints as an OpenAPI 3.1 document, in JSON. A schema with an `id` becomes a component, which others refer to. */
export function printOpenApi(
  info: { readonly title: string; readonly version: string },
  endpoints: readonly ApiEndpoint[],
): string {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: describeEndpoint(endpoint, schemas) };
  }
  const document = JSON.stringify({ openapi: '3.1.0', info, paths, components: { schemas, securitySchemes } });
  return document.replaceAll('"#/$defs/', '"#/components/schemas/');
}

function describeEndpoint(
  { name, tag, summary, path, headers = {}, query = {}, url, body, asks = 'nothing', answers }: ApiEndpoint,
  schemas: Json,
): Json {
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, of]) => ({ name: of, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(headers).map(([of, type]) => ({ name: of, in: 'header', schema: describeSchema(type, schemas) })),
    ...Object.entries(query).map(([of, type]) => ({ name: of, in: 'query', schema: describeSchema(type, schemas) })),
  ];
  const responses = Object.entries(answers).map(([status, content]) => [
    status,
    { description: STATUS_CODES[status] ?? 'Error', content: describeContent(content, schemas) },
  ]);
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(url === undefined ? {} : { servers: [{ url }] }),
    ...(asks === 'nothing' ? {} : { security: security[asks] }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: describeContent(body, schemas) } }),
    responses: Object.fromEntries(responses),
  };
}

function describeContent(content: Content, schemas: Json): Json {
  const byType = content instanceof z.ZodType ? { 'application/json': content } : content;
  return Object.fromEntries(Object.entries(byType).map(([type, schema]) => [type, { schema: describeSchema(schema, schemas) }]));
}

/** A schema as JSON Schema 2020-12, which is OpenAPI 3.1's; those with an `id` go to `schemas`. */
function describeSchema(type: z.ZodType, schemas: Json): unknown {
  const { schema, $defs } = converted.get(type) ?? convertSchema(type);
  Object.assign(schemas, $defs);
  return schema;
}

interface Converted {
  readonly schema: unknown;
  readonly $defs: Json | undefined;
}

// A server's schemas stay the same, and applications share theirs.
const converted = new WeakMap<z.ZodType, Converted>();

function convertSchema(type: z.ZodType): Converted {
  // zod leaves an `id` of the outermost schema where it is: only inner ones become references.
  const { properties, $defs } = z.toJSONSchema(z.object({ type }), { io: 'input' });
  const result = { schema: properties?.type, $defs };
  converted.set(type, result);
  return result;
}
