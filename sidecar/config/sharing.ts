import type { Listen } from '../address.ts';
import type { Config } from './index.ts';
import type { SettingName } from './settings.ts';
import type { Forward } from './values.ts';

export const MOST_WORKERS = 64;

type Listening = Pick<Config, 'inbound' | 'outbound'>;
type Draft = Listening & {
  readonly mode: Config['mode'] | undefined;
  readonly attest: Config['attest'] | undefined;
};

/** What keeps several processes from serving with this configuration, by variable. */
export function unsharable({ mode, attest, inbound, outbound }: Draft): [SettingName, string][] {
  const flaws: [SettingName, string][] = [];
  if (mode === 'agent') flaws.push(['SIGNET_WORKERS', 'is more than one, and SIGNET_MODE is agent']);
  if (attest?.method === 'join')
    flaws.push(['SIGNET_WORKERS', 'is more than one, and a join code is good for one process alone']);
  const kernels = 'asks for port 0, and each of several workers would get another';
  if (forwardsOf(inbound).some(({ listen }) => listen.port === 0)) flaws.push(['SIGNET_INBOUND', kernels]);
  if (outbound?.listen.port === 0) flaws.push(['SIGNET_OUTBOUND', kernels]);
  if (outbound?.upstreams.some(({ listen }) => listen?.port === 0)) flaws.push(['SIGNET_UPSTREAMS', kernels]);
  if (outbound?.transparent?.port === 0) flaws.push(['SIGNET_TRANSPARENT', kernels]);
  return flaws;
}

/** Every address that is listened on. */
export function listens({ inbound, outbound }: Listening): Listen[] {
  const upstreams = outbound === null ? [] : outbound.upstreams;
  return [
    ...forwardsOf(inbound).map(({ listen }) => listen),
    ...(outbound === null ? [] : [outbound.listen]),
    ...upstreams.flatMap(({ listen }) => (listen === undefined ? [] : [listen])),
    ...(outbound?.transparent === undefined ? [] : [outbound.transparent]),
  ];
}

/** The same, with every port shared. */
export function shared({ inbound, outbound }: Listening): Listening {
  const share = <T extends { readonly listen: Listen }>(one: T) => ({ ...one, listen: beside(one.listen) });
  return {
    inbound: inbound && {
      ...inbound,
      http: inbound.http && share(inbound.http),
      tcp: inbound.tcp.map(share),
      anonymous: inbound.anonymous && share(inbound.anonymous),
    },
    outbound: outbound && {
      ...share(outbound),
      upstreams: outbound.upstreams.map((upstream) =>
        upstream.listen === undefined ? upstream : { ...upstream, listen: beside(upstream.listen) },
      ),
      ...(outbound.transparent === undefined ? {} : { transparent: beside(outbound.transparent) }),
    },
  };
}

function forwardsOf(inbound: Config['inbound']): readonly Forward[] {
  if (inbound === null) return [];
  const { http, tcp, anonymous } = inbound;
  return [http, ...tcp, anonymous].filter((forward) => forward !== null);
}

function beside(listen: Listen): Listen {
  return { ...listen, shared: true };
}
