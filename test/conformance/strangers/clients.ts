import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../../harness/child.ts';
import { which } from '../../../setup/commands.mjs';
import { goStranger, pythonStrangers } from '../../../setup/strangers.mjs';
import { type Ask, expects } from './asks.ts';
import { askByCurl } from './curl.ts';
import type { Answer } from './transcript.ts';

/** A program that others wrote and that calls apps. */
export type Client = {
  readonly version: 1 | 2;
  /** It sends its header lines in any order. */
  readonly unordered?: true;
  /** Undefined where it is not on this machine. */
  readonly program: string | undefined;
  /** Whether it knows how to make this exchange. */
  readonly can: (ask: Ask) => boolean;
  /** Makes the exchanges one after the other, over one connection as far as that lasts. */
  ask(base: string, host: string, asks: readonly Ask[]): Promise<readonly Answer[]>;
};

const trailless = ({ trailers }: Ask) => trailers.length === 0;
const go = (http2: boolean): Client => ({
  version: http2 ? 2 : 1,
  unordered: true,
  program: goStranger(),
  can: () => true,
  ask: (base, host, asks) => told(goStranger()!, ['http-client'], { base, host, asks, http2 }),
});
const python = (version: 1 | 2, file: string, can: (ask: Ask) => boolean): Client => ({
  version,
  program: version === 1 ? which('python3') : pythonStrangers() && which('python3'),
  can,
  ask: (base, host, asks) => told(which('python3')!, [script(file)], { base, host, asks }),
});
const curl = (version: 1 | 2): Client => ({
  version,
  program: which('curl'),
  can: (ask) => trailless(ask) && (version === 1 || (ask.body !== 'chunked' && !ask.follow)),
  ask: (base, host, asks) => askByCurl(version, base, host, asks),
});

export const clients = {
  curl: curl(1),
  'curl, HTTP/2': curl(2),
  'net/http': go(false),
  'net/http, HTTP/2': go(true),
  // it takes 103 for the answer, and shows no trailers
  'http.client': python(
    1,
    'http_client.py',
    (ask) => !expects(ask) && !['/early', '/trailers'].includes(ask.path) && trailless(ask) && !ask.follow,
  ),
  'hyper-h2': python(2, 'h2_client.py', (ask) => !expects(ask) && !ask.follow),
} as const satisfies Readonly<Record<string, Client>>;

/** A Python program in tools/strangers. */
export function script(file: string): string {
  return fileURLToPath(new URL(`../../../tools/strangers/${file}`, import.meta.url));
}

/** What one of our programs answers to `orders`. */
export async function told<T>(program: string, args: readonly string[], orders: object): Promise<T> {
  await using child = await startChild(program, args, {
    env: { ...process.env, PYTHONPATH: pythonStrangers() ?? '', PYTHONDONTWRITEBYTECODE: '1' },
  });
  child.stdin.end(JSON.stringify(orders));
  const { code } = await child.ended;
  assert.equal(code, 0, child.stderr());
  return JSON.parse(child.stdout()) as T;
}
