import { MOUNTS } from '../grant/index.ts';

/** Brokers that log in with the token of their service account, by Vault's Kubernetes auth method. */
export type KubernetesLogin = {
  readonly mount: string;
  /** The API server that Vault asks about tokens. Left out: the mount is somebody else's, and only the role in it is Signet's. */
  readonly cluster?: {
    readonly host: string;
    /** Authorities of the API server (PEM). Empty: Vault runs in that cluster, and has them and its own service account. */
    readonly caCert: string;
  };
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audience: string;
};

/** The role that brokers log in as. */
export function kubernetesRole({ mount }: KubernetesLogin): string {
  return `auth/${mount}/role/broker`;
}

export const KUBERNETES_FIELDS = ['host', 'ca_cert', 'mount', 'namespace', 'service_account', 'audience'];

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const MOUNT = /^(?=.{1,200}$)[a-zA-Z0-9_-][a-zA-Z0-9._-]*(\/[a-zA-Z0-9_-][a-zA-Z0-9._-]*)*$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/;

/** From the layout's document; `flaw` is told of every defect. */
export function parseKubernetesLogin(
  raw: Readonly<Record<string, unknown>>,
  flaw: (pointer: string, message: string) => void,
): KubernetesLogin {
  const text = (name: string, fallback: string, good: (value: string) => boolean, message: string) => {
    const value = raw[name] ?? fallback;
    if (typeof value === 'string' && good(value)) return value;
    flaw(`/kubernetes/${name}`, message);
    return '';
  };
  const own = raw['mount'] !== undefined;
  if (own === (raw['host'] !== undefined)) {
    flaw(
      '/kubernetes',
      'has either host, for an auth method of Signet alone, or mount, for one that is there already',
    );
  }
  if (own && raw['ca_cert'] !== undefined) flaw('/kubernetes/ca_cert', 'goes with host, not with mount');
  const host = text('host', 'https://unset', isApiServer, 'is not a URL such as https://10.0.0.1:6443');
  const caCert = text('ca_cert', '', (s) => s === '' || CERTIFICATE.test(s), 'is not a certificate in PEM');
  return {
    mount: text(
      'mount',
      MOUNTS.kubernetes,
      (s) => MOUNT.test(s),
      'is not the path of an auth method such as kubernetes',
    ),
    ...(own ? {} : { cluster: { host: host.replace(/\/$/, ''), caCert: caCert.trim() } }),
    namespace: text('namespace', 'signet', (s) => LABEL.test(s), 'is not the name of a namespace'),
    serviceAccount: text(
      'service_account',
      'signet-broker',
      (s) => NAME.test(s),
      'is not the name of a service account',
    ),
    audience: text('audience', 'vault', (s) => /^[!-~]{1,255}$/.test(s), 'is not an audience'),
  };
}

/** The part of the document that `parseKubernetesLogin` reads back to the same. */
export function kubernetesDocument(login: KubernetesLogin): Record<string, unknown> {
  const { mount, cluster, namespace, serviceAccount, audience } = login;
  return {
    ...(cluster === undefined
      ? { mount }
      : { host: cluster.host, ...(cluster.caCert === '' ? {} : { ca_cert: cluster.caCert }) }),
    namespace,
    service_account: serviceAccount,
    audience,
  };
}

function isApiServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return protocol === 'https:' && [username, password, search, hash].every((part) => part === '');
}
