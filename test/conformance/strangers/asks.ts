/** One exchange that a client is asked to make. The programs in tools/strangers read these as JSON. */
export type Ask = {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: '' | 'fixed' | 'chunked';
  readonly size: number;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Redirects are gone after. */
  readonly follow: boolean;
};

function ask(method: string, path: string, more: Partial<Ask> = {}): Ask {
  return { method, path, headers: [], body: '', size: 0, trailers: [], follow: false, ...more };
}

/** The bodies of answers to `/large` and `/pieces`. */
export const LARGE = 10 << 20;
const SIZES = [0, 5, 65_536, LARGE];
const PROBES = [
  ['X-Probe', 'one'],
  ['x-probe', 'two, three'],
  ['X-Empty', ''],
  ['X-Latin', 'gr\u00fc\u00dfe'],
  ['Accept', 'text/html;q=0.9, */*;q=0.1'],
  ['Cookie', 'a=1; b="2"'],
  ['Authorization', 'Bearer abc.def.ghi'],
  ['If-Match', 'W/"x"'],
] as const;
const EXPECT = ['Expect', '100-continue'] as const;
const since = 'Tue, 14 Nov 2034 22:13:20 GMT';

/** What every pair of client and app goes through, as far as they know how. */
export const ASKS: readonly Ask[] = [
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) =>
    ask(method, '/seen', { headers: PROBES }),
  ),
  ask('HEAD', '/echo', { headers: PROBES }),
  ...['POST', 'PUT', 'PATCH', 'DELETE'].map((method) => ask(method, '/seen', { body: 'fixed', size: 100 })),
  ask('GET', '/seen?q=a%20b&c=%2F&d=%C3%BC'),
  ...(['fixed', 'chunked'] as const).flatMap((body) =>
    SIZES.map((size) => ask('POST', '/echo', { body, size })),
  ),
  ask('POST', '/seen', { body: 'chunked', size: 70_000, trailers: [['X-Sum', '1']] }),
  ...['/large', '/pieces'].flatMap((path) => [ask('GET', path), ask('HEAD', path)]),
  ask('GET', '/trailers'),
  ask('GET', '/early'),
  ask('GET', '/gzip'),
  ask('GET', '/gzip', { headers: [['Accept-Encoding', 'gzip']] }),
  ask('GET', '/file'),
  ask('HEAD', '/file'),
  ...['bytes=0-0', 'bytes=99-65635', 'bytes=-7', 'bytes=0-1,5-9', 'bytes=900000-'].map((range) =>
    ask('GET', '/file', { headers: [['Range', range]] }),
  ),
  ask('GET', '/file', { headers: [['If-Modified-Since', since]] }),
  ask('GET', '/redirect'),
  ask('GET', '/redirect', { follow: true }),
  ask('GET', '/cookies'),
  ...[201, 204, 304, 400, 401, 404, 418, 429, 500, 503].map((code) => ask('GET', `/status/${code}`)),
  ask('POST', '/echo', { headers: [EXPECT], body: 'fixed', size: 70_000 }),
  ask('GET', '/echo', { body: 'fixed', size: 5 }),
  ask('POST', '/echo', { headers: [EXPECT], body: 'chunked', size: 70_000 }),
  ask('GET', '/seen'),
];

export function nameOf({ method, path, headers, body, size, follow }: Ask): string {
  const sent = body === '' ? '' : ` with ${size} bytes, ${body}`;
  return `${method} ${path}${sent}${follow ? ', followed' : ''} ${headers.map((line) => line.join(': ')).join(', ')}`.trim();
}

export function expects({ headers }: Ask): boolean {
  return headers.some(([name]) => name === EXPECT[0]);
}

/** A body of that size, as all strangers make it. */
export function filled(size: number): Buffer {
  return Buffer.alloc(size, 'Signet\r\n0\r\n\r\n');
}
