import type { IncomingMessage } from 'node:http';
import type { AccessSource } from './access.ts';
import { KubernetesError, OversizeError, refusal } from './error.ts';
import { eventLines } from './event-lines.ts';
import type { KubernetesApi, KubernetesEvent, KubernetesList } from './index.ts';
import { readJson, Transport } from './transport.ts';

export type ApiDeps = {
  readonly cluster: string;
  readonly access: AccessSource;
  readonly timeoutMs: number;
};

const MAX_SOCKETS = 64;
const PAGE = 500;
/** One object may take 9 MiB. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
const MOST_ITEMS = 100_000;
/** How long the server keeps a watch open; and a little later we end it, whatever became of the server. */
const WATCH_SECONDS = 240;
const WATCH_GRACE_MS = 15_000;

type Call = {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
};
type Body = { readonly type: string; readonly bytes: Buffer };

export function createApi({ cluster, access, timeoutMs }: ApiDeps): KubernetesApi & Disposable {
  const transport = new Transport(MAX_SOCKETS);
  const closed = new AbortController();

  /** The head of a good answer. */
  const open = async (call: Call, signal: AbortSignal, body?: Body): Promise<IncomingMessage> => {
    const what = describe(cluster, call);
    const query = new URLSearchParams(call.query).toString();
    const target = query === '' ? call.path : `${call.path}?${query}`;
    const request = { method: call.method, target, signal, ...(body === undefined ? {} : { body }) };
    const response = await transport.open(await access.current(), request);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    if (status === 401) access.forget();
    throw refusal(what, status, await readJson(what, response));
  };

  const exchange = async (call: Call, body?: Body, most?: number): Promise<unknown> => {
    const what = describe(cluster, call);
    const late = AbortSignal.timeout(timeoutMs);
    try {
      const response = await open(call, AbortSignal.any([late, closed.signal]), body);
      const answer = await readJson(what, response, most);
      if (typeof answer === 'object' && answer !== null) return answer;
      throw new KubernetesError('K8S_UNAVAILABLE', `${what}: an answer that is not JSON`);
    } catch (cause) {
      throw asKubernetesError(what, cause, late);
    }
  };

  async function* pages<T>(
    path: string,
    query: Readonly<Record<string, string>> = {},
  ): AsyncGenerator<KubernetesList<T>> {
    let [next, size] = ['', PAGE];
    for (;;) {
      const page = { limit: String(size), ...query, ...(next === '' ? {} : { continue: next }) };
      const call = { method: 'GET', path, query: page };
      let answer: ListAnswer<T>;
      try {
        answer = (await exchange(call, undefined, MAX_PAGE_BYTES)) as ListAnswer<T>;
      } catch (error) {
        if (!(error instanceof OversizeError) || size === 1) throw error;
        size = Math.ceil(size / 4);
        continue;
      }
      const what = describe(cluster, call);
      if (!Array.isArray(answer.items))
        throw new KubernetesError('K8S_UNAVAILABLE', `${what}: an answer that is no list`);
      const { continue: more, resourceVersion } = answer.metadata ?? {};
      yield { items: answer.items, resourceVersion: String(resourceVersion ?? '') };
      if (typeof more !== 'string' || more === '') return;
      next = more;
      size = Math.min(PAGE, size * 2);
    }
  }

  return {
    cluster,
    get: async <T>(path: string) => (await exchange({ method: 'GET', path })) as T,
    create: async <T>(path: string, body: object) =>
      (await exchange({ method: 'POST', path }, json('application/json', body))) as T,
    patch: async <T>(path: string, body: object) => {
      const type = Array.isArray(body) ? 'json-patch' : 'merge-patch';
      return (await exchange({ method: 'PATCH', path }, json(`application/${type}+json`, body))) as T;
    },
    pages,
    async list<T>(path: string, query?: Readonly<Record<string, string>>) {
      const all: T[] = [];
      let version = '';
      for await (const { items, resourceVersion } of pages<T>(path, query)) {
        all.push(...items);
        version = resourceVersion;
        if (all.length < MOST_ITEMS) continue;
        const most = `there are ${MOST_ITEMS} of them or more`;
        throw new KubernetesError('K8S_REFUSED', `${cluster}: GET ${path}: ${most}`);
      }
      return { items: all, resourceVersion: version };
    },
    async *watch<T>(
      path: string,
      query: { readonly resourceVersion: string } & Readonly<Record<string, string>>,
      signal: AbortSignal,
    ) {
      const words = {
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(WATCH_SECONDS),
        ...query,
        watch: 'true',
      };
      const call = { method: 'GET', path, query: words };
      const what = describe(cluster, call);
      // Its head comes within the time of any other call; then it stays open.
      const headless = new AbortController();
      const patience = setTimeout(() => headless.abort(), timeoutMs);
      const longest = AbortSignal.timeout(Number(words.timeoutSeconds) * 1000 + WATCH_GRACE_MS);
      const bound = AbortSignal.any([signal, closed.signal, headless.signal, longest]);
      try {
        const response = await open(call, bound);
        clearTimeout(patience);
        for await (const event of eventLines(what, response)) yield eventOf<T>(what, event);
      } catch (cause) {
        if (signal.aborted || closed.signal.aborted) return;
        throw asKubernetesError(what, cause, headless.signal);
      } finally {
        clearTimeout(patience);
      }
    },
    [Symbol.dispose]() {
      closed.abort();
      transport[Symbol.dispose]();
    },
  };
}

type ListAnswer<T> = {
  readonly items?: T[];
  readonly metadata?: { readonly continue?: unknown; readonly resourceVersion?: unknown };
};

const EVENTS: readonly unknown[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'];

function eventOf<T>(what: string, event: unknown): KubernetesEvent<T> {
  const { type, object } = (event ?? {}) as { type?: unknown; object?: unknown };
  if (EVENTS.includes(type) && typeof object === 'object' && object !== null)
    return event as KubernetesEvent<T>;
  // `ERROR`, with a Status: most often that the version is no longer kept.
  const { code } = (object ?? {}) as { code?: unknown };
  throw refusal(what, typeof code === 'number' ? code : 500, object);
}

function describe(cluster: string, { method, path }: Call): string {
  return `${cluster}: ${method} ${path}`;
}

function json(type: string, body: object): Body {
  return { type, bytes: Buffer.from(JSON.stringify(body)) };
}

/** Node's code (`ECONNREFUSED`, `CERT_HAS_EXPIRED`) and not its message. */
function asKubernetesError(what: string, cause: unknown, late: AbortSignal): KubernetesError {
  if (cause instanceof KubernetesError) return cause;
  if (late.aborted) return new KubernetesError('K8S_TIMEOUT', `${what}: no whole answer in time`);
  const code = (cause as { code?: unknown } | null)?.code;
  const why = typeof code === 'string' ? code : 'the connection broke';
  return new KubernetesError('K8S_UNAVAILABLE', `${what}: ${why}`);
}
