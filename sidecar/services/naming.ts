/** From where the app speaks, so that a name means to it what it means to its resolver. */
export type Naming = {
  /** Null: unknown, and then a name alone means no Service. */
  readonly namespace: string | null;
  /** The cluster's, such as `cluster.local`. */
  readonly domain: string;
};

const DEFAULT_DOMAIN = 'cluster.local';

/** As the kubelet writes it for a pod: `search shop.svc.cluster.local svc.cluster.local cluster.local`. The last such line counts. */
export function namingOf(resolvConf: string): Naming {
  const line = resolvConf.split('\n').findLast((each) => /^search\s/.test(each)) ?? '';
  for (const domain of line.slice('search'.length).trim().split(/\s+/)) {
    const [, namespace, rest] = /^([a-z0-9-]{1,63})\.svc\.([a-z0-9.-]{1,253}?)\.?$/.exec(domain) ?? [];
    if (namespace !== undefined && rest !== undefined) return { namespace, domain: rest };
  }
  return { namespace: null, domain: DEFAULT_DOMAIN };
}

/** `name.namespace` of the Service that a host stands for; undefined when it has no form of one. */
export function serviceNamed(host: string, { namespace, domain }: Naming): string | undefined {
  const bare = host.endsWith('.') ? host.slice(0, -1) : host;
  const long = `.svc.${domain}`;
  const short = bare.endsWith(long) ? bare.slice(0, -long.length) : withoutSvc(bare);
  const parts = short.split('.');
  if (parts.length === 2 && parts[0] !== '' && parts[1] !== '') return short;
  const isAlone = parts.length === 1 && short === bare && short !== '' && namespace !== null;
  return isAlone ? `${short}.${namespace}` : undefined;
}

function withoutSvc(host: string): string {
  return host.endsWith('.svc') ? host.slice(0, -'.svc'.length) : host;
}
