import { Http2Route, Sessions } from '../http2/index.ts';
import { Pool, type PoolDeps, Route } from '../relay/index.ts';
import { type App, appConnector } from './app.ts';
import type { RouteWith } from './gate.ts';

/** The apps beside us, and the connections to them. */
export class Apps {
  private readonly relay: PoolDeps;
  private readonly pools: Pool[] = [];
  private readonly sessions: Sessions[] = [];

  constructor(relay: PoolDeps) {
    this.relay = relay;
  }

  /** The way to one more app, which requests take by whatever it speaks. */
  routeTo(app: App): RouteWith {
    const connector = appConnector(app);
    const pool = new Pool(connector, this.relay);
    this.pools.push(pool);
    if (!app.h2c) return (append) => new Route(pool, append);
    const sessions = new Sessions(connector, this.relay);
    this.sessions.push(sessions);
    return (append) => new Http2Route(pool, sessions, append);
  }

  sweep(): void {
    for (const pool of this.pools) pool.sweep();
    for (const sessions of this.sessions) sessions.sweep();
  }

  destroy(): void {
    for (const pool of this.pools) pool.destroy();
    for (const sessions of this.sessions) sessions.destroy();
  }
}
