import { type Directory, readDirectory } from '../../../sidecar/services/directory.ts';
import type { Naming } from '../../../sidecar/services/naming.ts';

export type Listed = {
  readonly absent?: string;
  readonly ips?: readonly string[];
  /** By port: `127.0.0.1:8443` and who is there. */
  readonly ports?: Readonly<Record<number, Readonly<Record<string, string>>>>;
  readonly target?: number;
};

/** A registered service. */
export type Host = {
  readonly host: string;
  readonly addresses: readonly string[];
  readonly spiffe_ids: readonly string[];
};

let versions = 0;

/** A broker's answer, by `name.namespace`. */
export function answerOf(services: Readonly<Record<string, Listed>>, registered?: readonly Host[]): object {
  return {
    ...(registered === undefined ? {} : { registered }),
    cluster: 'main',
    version: `v${++versions}`,
    seen_at: new Date().toISOString(),
    services: Object.entries(services).map(([full, { absent, ips = [], ports = {}, target = 0 }]) => {
      const [name, namespace] = full.split('.');
      return {
        ...{ name, namespace, cluster_ips: ips, ...(absent === undefined ? {} : { absent }) },
        ports: Object.entries(ports).map(([port, endpoints]) => ({
          ...{ port: Number(port), target },
          endpoints: Object.entries(endpoints).map(([address, spiffe_id]) => ({ address, spiffe_id })),
        })),
      };
    }),
  };
}

/** A list of Services that a test holds in its hand. */
export class HandHeld {
  current: Directory | null = null;
  readonly naming: Naming = { namespace: 'shop', domain: 'cluster.local' };
  private readonly listeners = new Set<(directory: Directory) => void>();

  constructor(services?: Readonly<Record<string, Listed>>) {
    if (services !== undefined) this.tell(services);
  }

  subscribe(listener: (directory: Directory) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(services: Readonly<Record<string, Listed>>, registered?: readonly Host[]): void {
    this.current = readDirectory(answerOf(services, registered), 'example.org');
    for (const listener of this.listeners) listener(this.current);
  }
}
