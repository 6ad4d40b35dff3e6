import { AUDIENCE } from '../attestors/kubernetes-token.ts';
import { type Asked, BROKER_CA, VAULT_CA } from './annotations.ts';
import type { InjectorConfig } from './config.ts';
import type { Json } from './values.ts';

/** Names that are the injector's own in every pod of a namespace that has opted in. */
export const SIDECAR = 'signet-sidecar';
export const REDIRECT = 'signet-redirect';
export const RESERVED = 'signet-';

const TOKEN_VOLUME = 'signet-token';
const TRUST_VOLUME = 'signet-trust';
const NOTHING_VOLUME = 'signet-nothing';

export const PORTS = { inbound: 8443, admin: 15_000, outbound: 15_001, transparent: 15_006, health: 15_021 };

/** Where an API server mounts a token of its own into containers that mount nothing there. The sidecar needs none. */
const API_TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const TOKEN_FOLDER = '/var/run/secrets/signet';
const TRUST_FOLDER = '/var/run/signet';

/** What one pod gets. Every field that an API server would fill in is there, so that what comes back can be compared. */
export type Parts = {
  /** In this order, before all others. */
  readonly initContainers: readonly Json[];
  readonly volumes: readonly Json[];
  /** For the containers of the app, where they set none of these. */
  readonly proxyEnv: readonly Json[];
  readonly status: string;
};

export function partsFor(asked: Asked, config: InjectorConfig, trustDomain: string): Parts {
  return {
    initContainers: [
      sidecarContainer(asked, config, trustDomain),
      ...(asked.redirect ? [redirectContainer(asked, config)] : []),
    ],
    volumes: [tokenVolume(config), trustVolume(config), { name: NOTHING_VOLUME, emptyDir: {} }],
    proxyEnv: asked.proxyEnv ? PROXY_ENV : [],
    status: JSON.stringify({
      version: 1,
      sidecar: SIDECAR,
      image: config.image,
      redirect: asked.redirect,
      proxy_env: asked.proxyEnv,
    }),
  };
}

const PROXY = `http://127.0.0.1:${PORTS.outbound}`;
const NO_PROXY = 'localhost,127.0.0.1,::1';
/** Some programs read the one case alone, some the other. */
const PROXY_ENV: readonly Json[] = [
  { name: 'HTTP_PROXY', value: PROXY },
  { name: 'http_proxy', value: PROXY },
  { name: 'NO_PROXY', value: NO_PROXY },
  { name: 'no_proxy', value: NO_PROXY },
];

function sidecarContainer(asked: Asked, config: InjectorConfig, trustDomain: string): Json {
  const { user } = config;
  return {
    ...common(config, SIDECAR),
    args: ['sidecar'],
    restartPolicy: 'Always',
    env: Object.entries(environmentFor(asked, config, trustDomain)).map(([name, value]) => ({ name, value })),
    ...(asked.inbound === null
      ? {}
      : { ports: [{ name: 'signet', containerPort: PORTS.inbound, protocol: 'TCP' }] }),
    // the app begins when there is an SVID; after five minutes without one the sidecar is begun anew
    startupProbe: probe('/readyz', 1, 300),
    livenessProbe: probe('/healthz', 10, 3),
    readinessProbe: probe('/readyz', 5, 2),
    securityContext: {
      ...CONFINED,
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: TOKEN_VOLUME, readOnly: true, mountPath: TOKEN_FOLDER },
      { name: TRUST_VOLUME, readOnly: true, mountPath: TRUST_FOLDER },
      NO_API_TOKEN,
    ],
  };
}

/** After the sidecar, which by then listens, and before all else of the pod. It alone has NET_ADMIN, which needs root, and it ends. */
function redirectContainer({ excludedPorts }: Asked, config: InjectorConfig): Json {
  const excluded = excludedPorts.length === 0 ? [] : ['--exclude-ports', excludedPorts.join(',')];
  return {
    ...common(config, REDIRECT),
    args: [
      ...['sidecar', 'iptables', '--apply', '--uid', String(config.user)],
      ...['--outbound-port', String(PORTS.transparent), ...excluded],
    ],
    securityContext: {
      ...CONFINED,
      runAsNonRoot: false,
      runAsUser: 0,
      runAsGroup: 0,
      capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
    },
    volumeMounts: [NO_API_TOKEN],
  };
}

function common(config: InjectorConfig, name: string): Json {
  return {
    name,
    image: config.image,
    imagePullPolicy: config.image_pull_policy,
    resources: config.resources,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  };
}

const CONFINED: Json = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
const NO_API_TOKEN: Json = { name: NOTHING_VOLUME, readOnly: true, mountPath: API_TOKEN_FOLDER };

function probe(path: string, periodSeconds: number, failureThreshold: number): Json {
  const httpGet = { path, port: PORTS.health, scheme: 'HTTP' };
  return { httpGet, periodSeconds, failureThreshold, successThreshold: 1, timeoutSeconds: 1 };
}

function environmentFor(
  { inbound, upstreams, redirect }: Asked,
  config: InjectorConfig,
  trustDomain: string,
): Readonly<Record<string, string>> {
  const calls = (upstreams ?? config.upstreams)
    .split(' ')
    .map((item) => (item === 'services' ? `services:${config.cluster}` : item))
    .join(' ');
  const outbound = calls !== 'none';
  const { vault } = config;
  return {
    SIGNET_TRUST_DOMAIN: trustDomain,
    SIGNET_BROKER_URL: config.broker_url,
    SIGNET_BROKER_CA: `${TRUST_FOLDER}/broker-ca.pem`,
    // by name: of several clusters any may call itself what this one does
    SIGNET_ATTEST: `kubernetes:${TOKEN_FOLDER}/token@${config.cluster}`,
    SIGNET_MODE: inbound !== null || outbound ? 'service' : 'agent',
    ...(inbound === null ? {} : { SIGNET_INBOUND: `0.0.0.0:${PORTS.inbound}->127.0.0.1:${inbound}` }),
    ...(outbound ? { SIGNET_OUTBOUND: `127.0.0.1:${PORTS.outbound}`, SIGNET_UPSTREAMS: calls } : {}),
    ...(redirect ? { SIGNET_TRANSPARENT: `127.0.0.1:${PORTS.transparent}` } : {}),
    SIGNET_ADMIN: `127.0.0.1:${PORTS.admin}`,
    SIGNET_HEALTH: `0.0.0.0:${PORTS.health}`,
    ...(vault.address === undefined ? {} : { VAULT_ADDR: vault.address }),
    ...(vault.namespace === undefined ? {} : { VAULT_NAMESPACE: vault.namespace }),
    ...(vault.ca === undefined ? {} : { VAULT_CACERT: `${TRUST_FOLDER}/vault-ca.pem` }),
    ...config.environment,
  };
}

function tokenVolume({ token_seconds: expirationSeconds }: InjectorConfig): Json {
  const sources = [{ serviceAccountToken: { audience: AUDIENCE, expirationSeconds, path: 'token' } }];
  return { name: TOKEN_VOLUME, projected: { defaultMode: 0o644, sources } };
}

/** The authorities come to the pod as its own annotations, so no namespace needs a ConfigMap of ours. */
function trustVolume({ vault }: InjectorConfig): Json {
  const items = [
    fileOf('broker-ca.pem', BROKER_CA),
    ...(vault.ca === undefined ? [] : [fileOf('vault-ca.pem', VAULT_CA)]),
  ];
  return { name: TRUST_VOLUME, downwardAPI: { defaultMode: 0o644, items } };
}

function fileOf(path: string, annotation: string): Json {
  return { path, fieldRef: { apiVersion: 'v1', fieldPath: `metadata.annotations['${annotation}']` } };
}
