import type { Figure } from './rows.ts';
import type { Section } from './scenarios.ts';

/** How the rows of a section are shown. */
export type Presentation = {
  readonly title: string;
  /** What was done, and what each implementation does and does not do in it. */
  readonly note: string;
  readonly columns: readonly Column[];
};

export type Column = { readonly figure: Figure; readonly title: string; readonly digits: number };

const column = (figure: Figure, title: string, digits: number): Column => ({ figure, title, digits });

const CPU = column('cpu_ms', 'CPU ms/1,000', 1);
const RATIOS = [column('x_nginx', '× nginx', 2), column('x_envoy', '× Envoy', 2)];
const RATE = column('rate', 'req/s', 0);
const TIMES = [column('p50_ms', 'p50 ms', 3), column('p99_ms', 'p99 ms', 3)];
const PRIVATE = column('private_mb', 'private MB', 1);
const REQUESTS = [CPU, ...RATIOS, RATE, ...TIMES, PRIVATE];

export const SECTIONS: Readonly<Record<Section, Presentation>> = {
  inbound: {
    title: 'Inbound alone',
    note: `mTLS in, plain HTTP/1.1 to an app that answers 158 bytes. Signet and Envoy judge caller, method and path by 20 rules; Signet writes an
audit record of every request to disk besides. nginx and haproxy verify the client's certificate and judge nothing. ghostunnel passes TCP
on: no HTTP and no policy, the caller's ID is looked at once per connection.`,
    columns: REQUESTS,
  },
  pair: {
    title: 'Pair: a client-side and a server-side proxy',
    note: `Plain HTTP/1.1 in and out, mTLS between the two. CPU is that of both. Added is over a direct call to the app in the same round. Signet
and Envoy check the server's SPIFFE ID, nginx and haproxy its host name. ghostunnel is not in this.`,
    columns: [
      CPU,
      ...RATIOS,
      RATE,
      ...TIMES,
      column('added_p50_ms', 'added p50', 3),
      column('added_p99_ms', 'added p99', 3),
    ],
  },
  fingerprint: {
    title: 'Pair: proof of each request',
    note: `As a pair. Each request is proven to the server-side proxy: by a key of the connection (channel), or by the SVID's key, ES256
(signed). Signet alone proves none, and nginx cannot. CPU is that of both sides.`,
    columns: [CPU, ...RATIOS.slice(0, 1), RATE, ...TIMES, column('added_p50_ms', 'added p50', 3)],
  },
  audit: {
    title: 'Inbound: the audit',
    note: `As inbound. Signet writes a record of every request to disk; signet-unrecorded writes none, as no sidecar may. nginx writes no log.`,
    columns: [CPU, ...RATIOS.slice(0, 1), RATE, ...TIMES],
  },
  policy: {
    title: 'Policies by number of documents',
    note: `As inbound with 64 connections. The rule that allows is in the middle. Envoy has an RBAC policy for each document. nginx has none: it
is there to be compared with.`,
    columns: REQUESTS,
  },
  bodies: {
    title: 'Bodies',
    note: `HTTP/1.1, 16 connections for 64 KB and 4 for 10 MB; a megabyte is a million bytes. nginx neither gathers bodies nor puts them on disk.
Small bodies are in the first table.`,
    columns: [column('cpu_ms', 'CPU ms/MB', 2), ...RATIOS, column('rate', 'MB/s', 0), ...TIMES, PRIVATE],
  },
  protocols: {
    title: 'HTTP/2 and gRPC',
    note: `mTLS in, 8 connections with 8 streams each. HTTP/2 goes on to the app as HTTP/1.1, gRPC (unary, 100 bytes each way, status in the
trailers checked) as HTTP/2 without TLS. Policy as with inbound.`,
    columns: REQUESTS,
  },
  connections: {
    title: 'New connections',
    note: 'Each with a full mTLS 1.3 handshake, never resumed, and one request; 16 at a time. Times are from connecting to the answer.',
    columns: [column('cpu_ms', 'CPU ms/1,000', 0), ...RATIOS, column('rate', 'conn/s', 0), ...TIMES, PRIVATE],
  },
  idle: {
    title: 'A thousand idle connections',
    note: 'Memory before they come, and while they are open after one request each; in MB. Processes are new.',
    columns: [
      column('idle_private_mb', 'private before', 1),
      column('held_private_mb', 'private with', 1),
      column('kb_per_connection', 'KB/connection', 1),
      column('idle_pss_mb', 'PSS before', 1),
      column('held_pss_mb', 'PSS with', 1),
      column('idle_rss_mb', 'RSS before', 1),
      column('held_rss_mb', 'RSS with', 1),
    ],
  },
  memory: {
    title: 'Memory',
    note: `In MB: of a new process, and at the end of load on 64 connections. Private is dirty pages; PSS counts a page that several processes
have by its share, RSS wholly.`,
    columns: (['private', 'pss', 'rss'] as const).flatMap((kind) =>
      (['idle', 'busy'] as const).map((state) =>
        column(`${state}_${kind}_mb`, `${kind === 'private' ? kind : kind.toUpperCase()} ${state}`, 1),
      ),
    ),
  },
  processes: {
    title: 'Two processes',
    note: `As inbound with 64 connections. Signet and nginx have two processes on one port, Envoy and haproxy two threads in one. With two cores
for these, the load generator and the app, this tells what two cost, not how far they scale.`,
    columns: REQUESTS,
  },
};
