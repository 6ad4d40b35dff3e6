/** Which connections of this machine go to the sidecar instead of where they are meant to go. */
export type Redirect = {
  /** The table of nft and the chain of iptables that are ours, and nobody else's. */
  readonly table: string;
  /** The port of SIGNET_TRANSPARENT. */
  readonly port: number;
  /** Users whose connections are left alone: the sidecar's own, or it would call itself. Numbers. */
  readonly uids: readonly number[];
  /** The only users whose connections are redirected; everybody's when there are none. */
  readonly fromUids: readonly number[];
  readonly excludedPorts: readonly number[];
  readonly excludedNetworks: readonly string[];
};

/**
 * What the rules of the service `name` are called, and those of a machine with one service. A chain of iptables may have
 * 28 characters: 21 are left for the name.
 */
export function tableOf(name: string | undefined): string {
  return name === undefined ? 'signet' : `signet_${name}`;
}
export const LONGEST_NAME = 21;

const isV6 = (network: string) => network.includes(':');

/** Takes our table away, whether it is there or not. */
export function nftRemoval(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`;
}

/**
 * For `nft -f`, which applies it as a whole or not at all. It replaces what was there. The users are asked for where it
 * redirects, so that a packet of nobody's, such as one of the kernel's own sockets, goes where it is going.
 */
export function nftRules({ table, port, uids, fromUids, excludedPorts, excludedNetworks }: Redirect): string {
  const v4 = excludedNetworks.filter((network) => !isV6(network));
  const v6 = excludedNetworks.filter(isV6);
  const from = fromUids.length === 0 ? '' : `meta skuid { ${fromUids.join(', ')} } `;
  const rules = [
    'type nat hook output priority -100; policy accept;',
    ...(uids.length === 0 ? [] : [`meta skuid { ${uids.join(', ')} } return`]),
    'oifname "lo" return',
    ...['127.0.0.0/8', ...v4].map((network) => `ip daddr ${network} return`),
    ...['::1', ...v6].map((network) => `ip6 daddr ${network} return`),
    ...excludedPorts.map((excluded) => `tcp dport ${excluded} return`),
    `${from}meta l4proto tcp redirect to :${port}`,
  ];
  return `${nftRemoval(table)}table inet ${table} {\n  chain output {\n    ${rules.join('\n    ')}\n  }\n}\n`;
}

/** For `iptables-restore --noflush` or `ip6tables-restore --noflush`. It replaces our chain and touches no other. */
export function iptablesRules(redirect: Redirect, family: 4 | 6): string {
  const { table: chain, port, uids, fromUids, excludedPorts, excludedNetworks } = redirect;
  const own = family === 4 ? '127.0.0.0/8' : '::1/128';
  const networks = excludedNetworks.filter((network) => isV6(network) === (family === 6));
  const redirected = fromUids.length === 0 ? [''] : fromUids.map((uid) => `-m owner --uid-owner ${uid} `);
  const rules = [
    ...uids.map((uid) => `-m owner --uid-owner ${uid} -j RETURN`),
    '-o lo -j RETURN',
    ...[own, ...networks].map((network) => `-d ${network} -j RETURN`),
    ...excludedPorts.map((excluded) => `-p tcp --dport ${excluded} -j RETURN`),
    ...redirected.map((from) => `-p tcp ${from}-j REDIRECT --to-ports ${port}`),
  ];
  return `*nat\n:${chain} - [0:0]\n${rules.map((rule) => `-A ${chain} ${rule}\n`).join('')}COMMIT\n`;
}

/** What makes OUTPUT ask our chain; after `-A`, `-C` or `-D`. */
export function iptablesJump(chain: string): readonly string[] {
  return ['OUTPUT', '-p', 'tcp', '-j', chain];
}

/** What takes our chain away once nothing asks it. */
export function iptablesRemoval(chain: string): readonly (readonly string[])[] {
  return [
    ['-F', chain],
    ['-X', chain],
  ];
}
