import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ApiServer } from '../../harness/kubernetes/api-server.ts';

/** A webhook of somebody else that comes after the broker's and applies `patch` to each pod of the namespaces that bear `label`. */
export async function startMeddler(
  server: ApiServer,
  label: string,
  patch: readonly object[],
): Promise<AsyncDisposable & { readonly calls: number }> {
  const files = await server.pki.server('meddler', ['127.0.0.1']);
  const [key, cert] = await Promise.all([readFile(`${files}.key`), readFile(`${files}.crt`)]);
  let calls = 0;
  const webhook = createServer({ key, cert }, async (request, response) => {
    const review = (await json(request)) as { request: { uid: string } };
    calls++;
    const answer = { uid: review.request.uid, allowed: true, patchType: 'JSONPatch' };
    const encoded = Buffer.from(JSON.stringify(patch)).toString('base64');
    const body = {
      ...{ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' },
      response: { ...answer, patch: encoded },
    };
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
  });
  webhook.listen(0, '127.0.0.1');
  await once(webhook, 'listening');
  const { port } = webhook.address() as AddressInfo;
  const metadata = { name: 'z-meddler' };
  await server.apply([
    {
      ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration', metadata },
      webhooks: [
        {
          name: 'meddler.example.org',
          clientConfig: {
            url: `https://127.0.0.1:${port}/`,
            caBundle: Buffer.from(server.caCert).toString('base64'),
          },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          namespaceSelector: { matchLabels: { [label]: 'yes' } },
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    },
  ]);
  return {
    get calls() {
      return calls;
    },
    async [Symbol.asyncDispose]() {
      await server.kubectl('delete', 'mutatingwebhookconfiguration', metadata.name);
      webhook.close();
      webhook.closeAllConnections();
      await once(webhook, 'close');
    },
  };
}
