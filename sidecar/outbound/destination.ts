import type { Counter } from '../../lib/adapter/metrics.ts';
import type { Svid } from '../credentials.ts';
import { NOTHING } from '../http1/index.ts';
import { Pool, type PoolDeps, type RequestTransformer, Route } from '../relay/index.ts';
import type { Upstream } from '../values.ts';
import { type ConnectorDeps, upstreamConnector } from './connector.ts';
import { upstreamProblem } from './problem.ts';

export type DestinationDeps = ConnectorDeps & { readonly relay: PoolDeps; readonly failures: Counter };

/**
 * One upstream and its connections, a pool for each SVID of ours: with a new one come new connections, and those made with the old one
 * end after the exchange they are in.
 */
export class Destination {
  /** Null until there is an SVID to connect with. */
  route: Route | null = null;
  private readonly upstream: Upstream;
  private readonly transformers: readonly RequestTransformer[];
  private readonly deps: DestinationDeps;
  private readonly pools = new Set<Pool>();

  constructor(upstream: Upstream, transformers: readonly RequestTransformer[], deps: DestinationDeps) {
    this.upstream = upstream;
    this.transformers = transformers;
    this.deps = deps;
  }

  adopt(svid: Svid): void {
    const { upstream, deps } = this;
    this.route?.pool.retire();
    const pool = new Pool(
      {
        ...upstreamConnector(upstream, svid, deps),
        problem: (failure) => {
          const problem = upstreamProblem(upstream.name, failure);
          deps.failures.add(1, { upstream: upstream.name, code: problem.code });
          return problem;
        },
      },
      deps.relay,
    );
    this.pools.add(pool);
    this.route = new Route(pool, NOTHING, this.transformers);
  }

  sweep(): void {
    for (const pool of this.pools) {
      pool.sweep();
      if (pool !== this.route?.pool && pool.size === 0) this.pools.delete(pool);
    }
  }

  destroy(): void {
    for (const pool of this.pools) pool.destroy();
  }
}
