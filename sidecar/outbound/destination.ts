import type { Counter } from '../../lib/adapter/metrics.ts';
import type { Address } from '../address.ts';
import type { Upstream } from '../config/values.ts';
import type { Prover } from '../fingerprint/index.ts';
import { NOTHING } from '../http1/index.ts';
import { Http2Route, Sessions } from '../http2/index.ts';
import type { Svid } from '../identity/credentials.ts';
import { type Failure, Pool, type PoolDeps, type RequestTransformer } from '../relay/index.ts';
import { Addresses, type AddressOf } from './addresses.ts';
import { type ConnectorDeps, upstreamConnector } from './connector.ts';
import { type Lookup, Names } from './names.ts';
import { upstreamProblem } from './problem.ts';

export type DestinationDeps = ConnectorDeps & {
  readonly relay: PoolDeps;
  readonly prover: Prover | null;
  readonly failures: Counter;
  readonly ejections: Counter;
  readonly lookup: Lookup;
  readonly lookupMs: number;
};

/** Ticks; about once a second. */
const RECHECK_EVERY = 10;

/**
 * One upstream and the connections to it that were made with each SVID of ours: with a new one come new connections, and those made with
 * the old one end after the exchanges they are in.
 */
export class Destination {
  /** Null until there is an SVID to connect with. */
  route: Http2Route | null = null;
  private readonly upstream: Upstream;
  private readonly transformers: readonly RequestTransformer[];
  private readonly deps: DestinationDeps;
  private readonly addresses: Addresses;
  private readonly names: Names;
  private readonly routes = new Map<Http2Route, { recheck(): void }>();
  private sweeps = 0;

  constructor(upstream: Upstream, transformers: readonly RequestTransformer[], deps: DestinationDeps) {
    this.upstream = upstream;
    this.transformers = transformers;
    this.deps = deps;
    const { log, ejections, lookup } = deps;
    const { ticker } = deps.relay;
    this.addresses = new Addresses(upstream.name, upstream.ids, {
      ticker,
      log,
      ejections,
      unreachable: () => this.names.soon(),
    });
    this.names = new Names(upstream.addresses, {
      upstream: upstream.name,
      ticker,
      log,
      lookup,
      everyMs: deps.lookupMs,
      changed: (addresses) => this.addresses.set(addresses),
    });
  }

  get name(): string {
    return this.upstream.name;
  }

  /** Where it is at present. */
  get at(): readonly Address[] {
    return this.addresses.all;
  }

  /** From now on it is there, and there alone; nothing is sent any more to an address that became another's. */
  move(addresses: readonly AddressOf[]): void {
    this.addresses.set(addresses);
    for (const connector of this.routes.values()) connector.recheck();
  }

  /** Connections, whatever they do. */
  get size(): number {
    let size = 0;
    for (const { pool, sessions } of this.routes.keys()) size += pool.size + sessions.size;
    return size;
  }

  adopt(svid: Svid): void {
    const { upstream, deps } = this;
    this.route?.pool.retire();
    this.route?.sessions.retire();
    const connector = {
      ...upstreamConnector(upstream, this.addresses, svid, deps),
      problem: (failure: Failure) => {
        const problem = upstreamProblem(upstream.name, failure);
        deps.failures.add(1, { upstream: upstream.name, code: problem.code });
        return problem;
      },
    };
    const pool = new Pool(connector, deps.relay);
    const { transformers } = this;
    const all = deps.prover === null ? transformers : [...transformers, deps.prover.by(svid)];
    this.route = new Http2Route(pool, new Sessions(connector, deps.relay), NOTHING, all);
    this.routes.set(this.route, connector);
  }

  sweep(): void {
    this.names.sweep();
    const rechecks = ++this.sweeps % RECHECK_EVERY === 0;
    for (const [route, connector] of this.routes) {
      const { pool, sessions } = route;
      if (rechecks) connector.recheck();
      pool.sweep();
      sessions.sweep();
      if (route !== this.route && pool.size + sessions.size === 0) this.routes.delete(route);
    }
  }

  destroy(): void {
    for (const { pool, sessions } of this.routes.keys()) {
      pool.destroy();
      sessions.destroy();
    }
  }
}
