import { MOUNTS } from '../../grant/index.ts';
import { kubernetesRole } from '../kubernetes.ts';
import type { Layout } from '../layout.ts';
import { bodyOf, type Resource, type Setting } from './resource.ts';
import { brokerToken } from './stores.ts';

/** What the config says of a reviewer's token, which itself is never read back. */
export const REVIEWER_SET = 'token_reviewer_jwt_set';

/** Whom Vault asks about tokens. Vault forgets the reviewer's token at every write: the changes are in `kubernetes-config.ts`. */
export function kubernetesConfig({ kubernetes }: Layout): Resource[] {
  if (kubernetes?.cluster === undefined) return [];
  const { host, caCert } = kubernetes.cluster;
  const path = `auth/${MOUNTS.kubernetes}/config`;
  const another = 'another API server says who is a broker';
  const settings: Setting[] = [
    { name: 'kubernetes_host', want: host, allows: another },
    { name: 'kubernetes_ca_cert', want: caCert, allows: another },
    {
      name: 'disable_local_ca_jwt',
      want: caCert !== '',
      allows:
        "Vault asks in the name of, or by the authorities of, the cluster that it runs in, not the broker's",
    },
    {
      name: REVIEWER_SET,
      want: caCert !== '',
      allows: 'Vault has nobody in whose name to ask about tokens, or somebody it does not need',
    },
    {
      name: 'pem_keys',
      want: [],
      allows: "whoever has one of these keys, which are not the cluster's, signs tokens",
    },
    { name: 'issuer', want: '', allows: 'brokers are cut off' },
    {
      name: 'use_annotations_as_alias_metadata',
      want: false,
      allows: 'whoever annotates a service account speaks in Vault',
    },
  ];
  return [
    {
      id: 'kubernetes-config',
      path,
      settings,
      missing: 'brokers cannot log in by Kubernetes auth',
      write: { create: { path, body: bodyOf(settings) }, update: { path, send: 'all' } },
    },
  ];
}

/** How brokers log in with the token of their service account. */
export function kubernetesLogin(layout: Layout): Resource[] {
  const { kubernetes } = layout;
  if (kubernetes === undefined) return [];
  const { namespace, serviceAccount, audience } = kubernetes;
  const path = kubernetesRole(kubernetes);
  const settings: Setting[] = [
    {
      name: 'bound_service_account_names',
      want: [serviceAccount],
      allows: 'pods of other service accounts log in as a broker',
    },
    {
      name: 'bound_service_account_namespaces',
      want: [namespace],
      allows: 'whoever may make a service account of that name in another namespace logs in as a broker',
    },
    {
      name: 'bound_service_account_namespace_selector',
      want: '',
      allows: 'whoever may label a namespace logs in as a broker',
    },
    {
      name: 'audience',
      want: audience,
      allows: "every token of the broker's, also one that another service was shown, logs in as a broker",
    },
    {
      name: 'alias_name_source',
      want: 'serviceaccount_uid',
      allows: 'a service account that was deleted and made again is taken for the first',
    },
    ...brokerToken(layout),
  ];
  return [
    {
      id: 'kubernetes-broker',
      path,
      settings,
      missing: 'brokers cannot log in by Kubernetes auth',
      write: { create: { path, body: bodyOf(settings) }, update: { path, send: 'all' } },
    },
  ];
}
