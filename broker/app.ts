import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import { InputError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import type { Connections } from './connection.ts';
import type { RateLimit } from './limits.ts';
import { PROBLEM_TYPE, Problem, problemDocument } from './problem.ts';
import { problemOf } from './problem-of.ts';
import type { Route } from './routes/route.ts';
import type { Validate } from './validation.ts';

export type AppDeps = {
  readonly routes: readonly Route[];
  readonly validate: Validate;
  readonly connections: Connections;
  readonly perSource: RateLimit;
  readonly newCorrelationId: () => string;
  readonly log: Log;
  readonly metrics: Metrics;
};

type Locals = { correlationId: string; operation?: string };

const MOST_BODY_BYTES = 64 * 1024;
/** Anybody can ask for too much: the log has it once in so long, and the metric how often. */
const OVERLOADED_MS = 10_000;
const TOKEN = /^[A-Za-z0-9._-]{1,1024}$/;

/** The API: every route of the table and no other, every refusal a problem document. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app
    .disable('x-powered-by')
    .disable('etag')
    .set('query parser', 'simple')
    .enable('strict routing')
    .enable('case sensitive routing');
  app.use(begin(deps));
  for (const route of deps.routes) if (route.large !== undefined) app.use(route.path, readLarge(route, deps));
  app.use(express.json({ limit: MOST_BODY_BYTES, inflate: false, type: 'application/json' }));
  for (const [path, routes] of Map.groupBy(deps.routes, (route) => route.path)) {
    const at = app.route(expressPath(path));
    for (const route of routes) at[route.method](handler(route, deps));
    at.all((_request, response) => {
      response.set('Allow', routes.map(({ method }) => method.toUpperCase()).join(', '));
      throw new Problem('method_not_allowed');
    });
  }
  app.use(() => {
    throw new Problem('no_route');
  });
  app.use(refuse(deps));
  return app;
}

/** Reads the body of one route that takes large ones. What is read is not read again. */
function readLarge({ method, large }: Route, { connections }: AppDeps): RequestHandler {
  const read = express.json({ limit: large?.bytes ?? 0, inflate: false, type: 'application/json' });
  return async (request, response, next) => {
    if (request.path !== '/' || request.method !== method.toUpperCase()) return next();
    await large?.admit?.(connections(request.socket));
    if (large?.hold !== undefined) {
      const over = large.hold(connections(request.socket), announced(request, large.bytes));
      response.once('close', over);
    }
    read(request, response, next);
  };
}

/** Who does not say how much it is may send all that is taken. */
function announced(request: Request, most: number): number {
  return Math.min(Number(request.get('content-length') ?? most), most);
}

/** `/v1/entries/{tenant}` as the router writes it: `/v1/entries/:tenant`. */
function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** Before anything of the request is read: who is it, and may they come so often. */
function begin({ routes, connections, perSource, newCorrelationId, metrics }: AppDeps): RequestHandler {
  const rates = new Map(routes.flatMap(({ path, rate }) => (rate === undefined ? [] : [[path, rate]])));
  const requests = metrics.counter('signet_broker_requests_total', 'requests by operation and status');
  return (request, response, next) => {
    const locals = response.locals as Locals;
    locals.correlationId = newCorrelationId();
    response.set({ 'X-Correlation-Id': locals.correlationId, 'Cache-Control': 'no-store' });
    response.once('finish', () => {
      requests.add(1, { operation: locals.operation ?? 'none', status: String(response.statusCode) });
    });
    (rates.get(request.path) ?? perSource).take(connections(request.socket).source);
    next();
  };
}

function handler(route: Route, { validate, connections }: AppDeps): RequestHandler {
  return async (request, response) => {
    const locals = response.locals as Locals;
    locals.operation = route.id;
    const { correlationId } = locals;
    const token = route.withToken === true ? tokenOf(request.get('x-vault-token')) : new Secret('');
    const body = bodyOf(request.body, request.get('content-type'), route);
    if (route.body !== undefined && body !== undefined) validate(route.body.schema, body);
    const answer = await route.handle({
      params: request.params as Record<string, string>,
      query: queryOf(request.query, route),
      body,
      token,
      connection: connections(request.socket),
      correlationId,
    });
    response.status(answer.status);
    if (answer.body === undefined) response.end();
    else response.json(answer.body);
  };
}

function tokenOf(header: string | undefined): Secret {
  if (header === undefined || !TOKEN.test(header)) throw new Problem('token_missing');
  return new Secret(header);
}

/** What the parser read; undefined when there was nothing and nothing is needed. */
function bodyOf(parsed: unknown, contentType: string | undefined, route: Route): unknown {
  if (parsed !== undefined) return parsed;
  if (contentType !== undefined) throw new Problem('unsupported_media_type');
  if (route.body?.required === true) throw new InputError('body', [{ pointer: '', message: 'is missing' }]);
  return undefined;
}

function queryOf(query: object, route: Route): Record<string, string> {
  const entries = Object.entries(query);
  for (const [name, value] of entries) {
    const known = Object.hasOwn(route.query ?? {}, name);
    if (!known || typeof value !== 'string') {
      throw new InputError('query', [
        { pointer: `/${name.slice(0, 80)}`, message: 'is not a parameter, or is given twice' },
      ]);
    }
  }
  return Object.fromEntries(entries);
}

/** Four parameters make it an error handler. */
function refuse({ log }: AppDeps): ErrorRequestHandler {
  let quietUntil = 0;
  const isTold = (code: string) => {
    if (code !== 'overloaded') return true;
    const due = performance.now() >= quietUntil;
    if (due) quietUntil = performance.now() + OVERLOADED_MS;
    return due;
  };
  return (error: unknown, request, response, _next) => {
    const problem = problemOf(error);
    const { correlationId } = response.locals as Locals;
    if (problem.status >= 500 && isTold(problem.code)) {
      log.error('request_failed', {
        correlation_id: correlationId,
        path: request.path,
        code: problem.code,
        reason: problem.cause ?? error,
      });
    }
    if (response.headersSent || request.socket.destroyed) return;
    send(response, problem, correlationId);
  };
}

function send(response: Response, problem: Problem, correlationId: string): void {
  const { retryAfterSeconds } = problem.details;
  response.status(problem.status).set('Content-Type', PROBLEM_TYPE);
  if (retryAfterSeconds !== undefined) response.set('Retry-After', String(retryAfterSeconds));
  response.end(JSON.stringify(problemDocument(problem, correlationId)));
}
