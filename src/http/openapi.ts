import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Content, Endpoint } from './api.ts';

type Json = Record<string, unknown>;

/** Writes endpoints as an OpenAPI 3.1 document, in JSON. A schema with an `id` becomes a component, which others refer to. */
export function printOpenApi(info: { readonly title: string; readonly version: string }, endpoints: readonly Endpoint[]): string {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: describeEndpoint(endpoint, schemas) };
  }
  const document = JSON.stringify({ openapi: '3.1.0', info, paths, components: { schemas } });
  return document.replaceAll('"#/$defs/', '"#/components/schemas/');
}

function describeEndpoint({ name, tag, summary, path, headers = {}, body, answers }: Endpoint, schemas: Json): Json {
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, of]) => ({ name: of, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(headers).map(([of, type]) => ({ name: of, in: 'header', schema: describeSchema(type, schemas) })),
  ];
  const responses = Object.entries(answers).map(([status, content]) => [
    status,
    { description: STATUS_CODES[status] ?? 'Error', content: describeContent(content, schemas) },
  ]);
  return {
    operationId: name,
    tags: [tag],
    summary,
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
  // zod leaves an `id` of the outermost schema where it is: only inner ones become references.
  const { properties, $defs } = z.toJSONSchema(z.object({ type }), { io: 'input' });
  Object.assign(schemas, $defs);
  return properties?.type;
}
