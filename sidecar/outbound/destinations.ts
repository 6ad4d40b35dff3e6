import type { Address } from '../address.ts';
import type { Upstream } from '../config/values.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Svid } from '../identity/credentials.ts';
import { Refused, type RequestTransformer } from '../relay/index.ts';
import { Destination, type DestinationDeps } from './destination.ts';
import type { Discovered } from './discovered.ts';
import { destinationAt, unknownDestination } from './transparent.ts';

/** All upstreams, the Services behind them where they are asked for, and which of them is meant. */
export class Destinations {
  private readonly all = new Map<string, Destination>();
  /** Those that speak HTTP. */
  private readonly served = new Map<string, Destination>();
  private readonly discovered: Discovered | null;

  constructor(
    upstreams: readonly Upstream[],
    transformers: readonly RequestTransformer[],
    deps: DestinationDeps,
    discovered: Discovered | null,
  ) {
    this.discovered = discovered;
    for (const upstream of upstreams) {
      const destination = new Destination(upstream, transformers, deps);
      this.all.set(upstream.name, destination);
      if (upstream.protocol !== 'tcp') this.served.set(upstream.name, destination);
      destination.sweep();
    }
  }

  /** That of a local port. */
  named(name: string): Destination {
    return this.all.get(name)!;
  }

  byHost({ host }: RequestHead): Destination | Refused {
    const named = this.served.get(nameOf(host)) ?? this.discovered?.byHost(host);
    return named ?? unknown(host, [...this.served.keys()], this.discovered !== null);
  }

  /** For a request on a connection that was going to `original`, where that is known. */
  byHostOrAddress({ host }: RequestHead, original: Address | undefined): Destination | Refused {
    const named = this.served.get(nameOf(host)) ?? this.discovered?.byHost(host);
    const found = named ?? (original && this.at(original));
    return found ?? unknownDestination(host, original);
  }

  adopt(svid: Svid | null): void {
    if (svid === null) return;
    for (const destination of this.all.values()) destination.adopt(svid);
    this.discovered?.adopt(svid);
  }

  sweep(): void {
    for (const destination of this.all.values()) destination.sweep();
    this.discovered?.sweep();
  }

  destroy(): void {
    for (const destination of this.all.values()) destination.destroy();
    this.discovered?.[Symbol.dispose]();
  }

  private at(original: Address): Destination | Refused | null | undefined {
    return destinationAt(original, this.served.values()) ?? this.discovered?.byAddress(original);
  }
}

/** The port of `Host` says where the app thinks the upstream listens; the name alone says which is meant. */
function nameOf(host: string): string {
  const colon = host.indexOf(':');
  return colon === -1 ? host : host.slice(0, colon);
}

/** It is our own app that asks: it may know what it could ask for. */
function unknown(host: string, names: readonly string[], services: boolean): Refused {
  const detail = services
    ? `no upstream and no Service is named ${host}; upstreams: ${names.join(', ') || 'none'}`
    : `no upstream is named ${host}; there are: ${names.join(', ')}`;
  return new Refused({ status: 404, code: 'unknown_upstream', detail, upstreams: names });
}
