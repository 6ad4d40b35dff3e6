import { parseUpstreams, SettingError, type Upstream } from './values.ts';

/** That the app may call the Services of its cluster. What is left out is found out. */
export type ServicesSettings = {
  readonly cluster?: string;
  readonly namespace?: string;
  readonly domain?: string;
};

export type Callees = { readonly upstreams: readonly Upstream[]; readonly services?: ServicesSettings };

/** To the broker, in the place of a cluster's name. */
const NO_CLUSTER = '-';
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** Upstreams, and among them the word `services`: `services`, `services:main`, `services:main/shop/cluster.local`; `services:-`: registered ones alone. */
export function parseCallees(text: string): Callees {
  const items = text.trim().split(/\s+/);
  const words = items.filter((item) => item === 'services' || item.startsWith('services:'));
  const rest = items.filter((item) => !words.includes(item));
  if (words.length > 1) throw new SettingError('says services twice');
  const upstreams = rest.length === 0 ? [] : parseUpstreams(rest.join(' '));
  return words.length === 0 ? { upstreams } : { upstreams, services: parseServices(words[0]!) };
}

function parseServices(word: string): ServicesSettings {
  const [cluster = '', namespace = '', domain = '', ...more] = word.slice('services:'.length).split('/');
  if (word === 'services:-') return { cluster: NO_CLUSTER };
  const sound = [cluster, namespace].every((text) => text === '' || LABEL.test(text));
  if (!sound || more.length > 0 || (domain !== '' && !DOMAIN.test(domain)))
    throw new SettingError('has a services: that is not cluster, or cluster/namespace/domain');
  return {
    ...(cluster === '' ? {} : { cluster }),
    ...(namespace === '' ? {} : { namespace }),
    ...(domain === '' ? {} : { domain }),
  };
}
