/** What the broker's service account needs for its webhooks; docs/kubernetes-injection.md has the same. */
export const RULES = [
  { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
  {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
    resourceNames: ['signet-injector'],
    verbs: ['get', 'patch'],
  },
];

/** The two configurations, as docs/kubernetes-injection.md has them; `client` says how a path of the broker is reached. */
export function webhookConfigurations(client: (path: string) => object): object[] {
  const create = { operations: ['CREATE'], resources: ['pods'] };
  const all = { operations: ['CREATE', 'UPDATE'], resources: ['pods', 'pods/ephemeralcontainers'] };
  return [
    configuration('MutatingWebhookConfiguration', {
      ...webhook('mutate', client, create),
      reinvocationPolicy: 'IfNeeded',
    }),
    configuration('ValidatingWebhookConfiguration', webhook('validate', client, all)),
  ];
}

function configuration(kind: string, webhook: object): object {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  return { apiVersion, kind, metadata: { name: 'signet-injector' }, webhooks: [webhook] };
}

function webhook(word: string, client: (path: string) => object, rule: object): object {
  return {
    name: `${word}.admission.signet`,
    clientConfig: client(`/admission/${word}`),
    rules: [{ apiGroups: [''], apiVersions: ['v1'], ...rule, scope: 'Namespaced' }],
    namespaceSelector: { matchLabels: { 'signet/inject': 'enabled' } },
    failurePolicy: 'Fail',
    sideEffects: 'None',
    timeoutSeconds: 5,
    admissionReviewVersions: ['v1'],
  };
}
