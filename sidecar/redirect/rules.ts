/** Which connections of this machine go to the sidecar instead of where they are meant to go. */
export type Redirect = {
  /** The port of SIGNET_TRANSPARENT. */
  readonly port: number;
  /** Users whose connections are left alone: the sidecar's own, or it would call itself. Numbers. */
  readonly uids: readonly number[];
  readonly excludedPorts: readonly number[];
  readonly excludedNetworks: readonly string[];
};

/** The table of nft and the chain of iptables that are ours, and nobody else's. */
const NAME = 'signet';

const isV6 = (network: string) => network.includes(':');

/** Takes our table away, whether it is there or not. */
export const NFT_REMOVAL = `add table inet ${NAME}\ndelete table inet ${NAME}\n`;

/** For `nft -f`, which applies it as a whole or not at all. It replaces what was there. */
export function nftRules({ port, uids, excludedPorts, excludedNetworks }: Redirect): string {
  const v4 = excludedNetworks.filter((network) => !isV6(network));
  const v6 = excludedNetworks.filter(isV6);
  const rules = [
    'type nat hook output priority -100; policy accept;',
    `meta skuid { ${uids.join(', ')} } return`,
    'oifname "lo" return',
    ...['127.0.0.0/8', ...v4].map((network) => `ip daddr ${network} return`),
    ...['::1', ...v6].map((network) => `ip6 daddr ${network} return`),
    ...excludedPorts.map((excluded) => `tcp dport ${excluded} return`),
    `meta l4proto tcp redirect to :${port}`,
  ];
  return `${NFT_REMOVAL}table inet ${NAME} {\n  chain output {\n    ${rules.join('\n    ')}\n  }\n}\n`;
}

/** For `iptables-restore --noflush` or `ip6tables-restore --noflush`. It replaces our chain and touches no other. */
export function iptablesRules(redirect: Redirect, family: 4 | 6): string {
  const { port, uids, excludedPorts, excludedNetworks } = redirect;
  const own = family === 4 ? '127.0.0.0/8' : '::1/128';
  const networks = excludedNetworks.filter((network) => isV6(network) === (family === 6));
  const rules = [
    ...uids.map((uid) => `-m owner --uid-owner ${uid} -j RETURN`),
    '-o lo -j RETURN',
    ...[own, ...networks].map((network) => `-d ${network} -j RETURN`),
    ...excludedPorts.map((excluded) => `-p tcp --dport ${excluded} -j RETURN`),
    `-p tcp -j REDIRECT --to-ports ${port}`,
  ];
  return `*nat\n:${NAME} - [0:0]\n${rules.map((rule) => `-A ${NAME} ${rule}\n`).join('')}COMMIT\n`;
}

/** What makes OUTPUT ask our chain; after `-A`, `-C` or `-D`. */
export const IPTABLES_JUMP = ['OUTPUT', '-p', 'tcp', '-j', NAME] as const;
/** What takes our chain away once nothing asks it. */
export const IPTABLES_REMOVAL = [
  ['-F', NAME],
  ['-X', NAME],
] as const;
