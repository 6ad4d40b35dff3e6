import { type InjectorConfig, parseInjector } from '../../../broker/admission/config.ts';
import type { InjectorWorld } from '../../../broker/admission/inject.ts';

const CONFIG = {
  cluster: 'main',
  image: 'registry.example/signet:1',
  broker_url: 'https://signet-broker.signet.svc',
  vault: { address: 'https://vault.vault.svc:8200' },
  resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '128Mi' } },
  environment: { SIGNET_AUDIT: '- broker' },
};

export function configOf(more: object = {}): InjectorConfig {
  return parseInjector(JSON.stringify({ ...CONFIG, ...more }), () => {
    throw new Error('no file is read');
  });
}

export const CA = '-----BEGIN CERTIFICATE-----\nnew\n-----END CERTIFICATE-----\n';

export function worldOf(more: Partial<InjectorWorld> = {}): InjectorWorld {
  return {
    config: configOf(),
    trustDomain: 'example.org',
    brokerCa: CA,
    acceptsCa: (pem) => pem === CA,
    ...more,
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a pod is written and read as the JSON it is
export type AnyPod = any;

/** A pod as an author writes it. */
export function podOf(annotations: Readonly<Record<string, string>> = {}, spec: object = {}): AnyPod {
  return {
    metadata: { name: 'orders-0', annotations: { 'signet/inject': 'true', ...annotations } },
    spec: { containers: [{ name: 'app', image: 'app:1', ports: [{ containerPort: 8080 }] }], ...spec },
  };
}
