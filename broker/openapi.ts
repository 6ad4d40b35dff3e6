import { problemsByStatus } from './problem.ts';
import type { Route } from './routes/route.ts';
import { ref, type Schemas } from './schemas.ts';

/** The OpenAPI 3.1 document of these routes. Bodies are checked against it, so that it cannot say anything but the truth. */
export function openApiDocument(routes: readonly Route[], schemas: Schemas): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Signet broker',
      version: '1',
      description:
        'TLS 1.3 only. The certificate carries the SPIFFE ID spiffe://<trust domain>/signet/broker: check that, not the host name.',
    },
    paths,
    components: {
      schemas: { ...schemas, Document: { type: 'object', required: ['openapi', 'paths'] } },
      securitySchemes: {
        vaultToken: {
          type: 'apiKey',
          in: 'header',
          name: 'X-Vault-Token',
          description: "the caller's own Vault token, with which every call to Vault is made",
        },
      },
    },
  };
}

function operation(route: Route): object {
  const { body, query = {}, problems } = route;
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const parameters = [
    ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...Object.entries(query).map(([name, description]) => ({
      name,
      in: 'query',
      description,
      schema: { type: 'string' },
    })),
  ];
  return {
    operationId: route.id,
    summary: route.summary,
    ...(route.withToken === true ? { security: [{ vaultToken: [] }] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required,
            content: { 'application/json': { schema: ref(body.schema) } },
          },
        }),
    responses: { ...goodAnswers(route), ...problemAnswers([...problems, ...ANYWHERE]) },
  };
}

/** What any request may meet. */
const ANYWHERE = [
  'internal',
  'request_timeout',
  'too_large',
  'unsupported_media_type',
  'headers_too_large',
] as const;

function goodAnswers({ answers }: Route): Record<string, object> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, schema]) => [
      status,
      {
        description: status === '503' ? 'not now' : 'done',
        ...(schema === null ? {} : { content: { 'application/json': { schema: ref(schema) } } }),
      },
    ]),
  );
}

function problemAnswers(codes: Parameters<typeof problemsByStatus>[0]): Record<string, object> {
  return Object.fromEntries(
    [...problemsByStatus(codes)].map(([status, named]) => [
      status,
      {
        description: named.join(', '),
        content: { 'application/problem+json': { schema: ref('Problem') } },
      },
    ]),
  );
}
