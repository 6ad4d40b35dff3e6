import type { Task } from './peers/peer.ts';
import { provenBy, UNRECORDED } from './peers/signet.ts';
import { GRPC_PATH, PATH } from './world.ts';

/** What the load generator does, and what is counted. */
export type Load = {
  /** The row's. */
  readonly name: string;
  readonly args: readonly string[];
  /** Bytes of body that go either way with each request, where those are what is counted. */
  readonly bytes?: number;
  /** Rounds, where the effort is not that of all rows. */
  readonly close?: true;
};

/** Rows that are measured on the same running programs. */
export type Scenario = {
  readonly section: Section;
  readonly setting: Pick<Task, 'protocol' | 'workers' | 'rules'>;
  /** What stands behind the proxies. */
  readonly app: 'small' | 'any';
  readonly peers: readonly string[];
  /** A client-side proxy before each, which is called without TLS; and the app itself beside them. */
  readonly pair?: true;
  readonly loads: readonly Load[];
};

export type Section =
  | 'inbound'
  | 'pair'
  | 'fingerprint'
  | 'audit'
  | 'policy'
  | 'bodies'
  | 'protocols'
  | 'connections'
  | 'idle'
  | 'memory'
  | 'processes';

/** Documents in the policy, where their number is not what is measured. */
export const RULES = 20;
const HTTP_PEERS = ['signet', 'nginx', 'haproxy', 'envoy'] as const;
export const ALL_PEERS = [...HTTP_PEERS, 'ghostunnel'] as const;

export const SATURATED = 'inbound, 64 connections';
const STEADY = 'inbound, 1,000 req/s';
export const PAIR_STEADY = 'pair, 1,000 req/s';
export const PROVEN = 'fingerprint, 64 connections';
const MANY_DOCUMENTS = 1_000;

const PLAIN = { protocol: 'http1', workers: 1, rules: RULES } as const;
const saturated = ['-path', PATH, '-connections', '64'];
const steady = ['-path', PATH, '-connections', '8', '-rate', '1000'];

/** Everything that is measured under load; less of each kind when it has to be quick. */
export function scenarios(quick: boolean): readonly Scenario[] {
  return [
    {
      section: 'inbound',
      setting: PLAIN,
      app: 'small',
      peers: ALL_PEERS,
      loads: [
        { name: SATURATED, args: saturated, close: true },
        { name: STEADY, args: steady, close: true },
      ],
    },
    {
      section: 'pair',
      setting: PLAIN,
      app: 'small',
      peers: HTTP_PEERS,
      pair: true,
      loads: [
        { name: 'pair, 64 connections', args: saturated, close: true },
        { name: PAIR_STEADY, args: steady, close: true },
      ],
    },
    {
      section: 'fingerprint',
      setting: PLAIN,
      app: 'small',
      peers: ['signet', provenBy('channel'), provenBy('signed'), 'nginx'],
      pair: true,
      loads: [
        { name: PROVEN, args: saturated, close: true },
        { name: 'fingerprint, 1,000 req/s', args: steady, close: true },
      ],
    },
    {
      section: 'audit',
      setting: PLAIN,
      app: 'small',
      peers: ['signet', UNRECORDED, 'nginx'],
      loads: [
        { name: 'audit, 64 connections', args: saturated, close: true },
        { name: 'audit, 1,000 req/s', args: steady, close: true },
      ],
    },
    ...(quick ? [10, MANY_DOCUMENTS] : [10, 100, MANY_DOCUMENTS]).map(withDocuments),
    {
      section: 'bodies',
      setting: PLAIN,
      app: 'any',
      peers: ALL_PEERS,
      loads: [
        response('response of 64 KB', 64 * 1024, 16),
        response('response of 10 MB', 10 * 1024 * 1024, 4),
        ...(quick ? [] : [request('request of 64 KB', 64 * 1024, 16)]),
        request('request of 10 MB', 10 * 1024 * 1024, 4),
      ],
    },
    {
      section: 'protocols',
      setting: { ...PLAIN, protocol: 'http2' },
      app: 'small',
      peers: HTTP_PEERS,
      loads: [{ name: 'HTTP/2, 8 × 8 streams', args: [...streams('http2'), '-path', PATH] }],
    },
    {
      section: 'protocols',
      setting: { ...PLAIN, protocol: 'grpc' },
      app: 'any',
      peers: HTTP_PEERS,
      loads: [{ name: 'gRPC unary, 8 × 8 streams', args: [...streams('grpc'), '-path', GRPC_PATH] }],
    },
    {
      section: 'connections',
      setting: PLAIN,
      app: 'small',
      peers: ALL_PEERS,
      loads: [{ name: 'new connections', args: ['-path', PATH, '-connections', '16', '-anew'] }],
    },
    {
      section: 'processes',
      setting: { ...PLAIN, workers: 2 },
      app: 'small',
      peers: HTTP_PEERS,
      loads: [{ name: 'two processes, 64 connections', args: saturated }],
    },
  ];
}

/** nginx has no policy: it is there to be compared with. */
function withDocuments(rules: number): Scenario {
  return {
    section: 'policy',
    setting: { ...PLAIN, rules },
    app: 'small',
    peers: ['signet', 'nginx', 'envoy'],
    loads: [{ name: `policy of ${rules.toLocaleString('en')}`, args: saturated }],
  };
}

function response(name: string, bytes: number, connections: number): Load {
  const path = `/api/v1/items?size=${bytes}`;
  const args = ['-path', path, '-expect', String(bytes), '-connections', String(connections)];
  return { name, args, bytes };
}

function request(name: string, bytes: number, connections: number): Load {
  const args = ['-path', PATH, '-send', String(bytes), '-expect', '0', '-connections', String(connections)];
  return { name, args, bytes };
}

function streams(protocol: string): string[] {
  return ['-protocol', protocol, '-connections', '8', '-streams', '8'];
}
