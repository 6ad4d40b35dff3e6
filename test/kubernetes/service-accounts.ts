import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader, importPKCS8, SignJWT } from 'jose';
import type { ApiServer } from './interim.ts';

/** Makes namespaces and, in each, service accounts: `{ signet: ['signet-broker'] }`. */
export async function makeServiceAccounts(
  api: ApiServer,
  wanted: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  for (const [namespace, names] of Object.entries(wanted)) {
    const there = await api.request('GET', `/api/v1/namespaces/${namespace}`);
    if (there.status === 404) await made(api, '/api/v1/namespaces', { metadata: { name: namespace } });
    for (const name of names)
      await made(api, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  }
}

/** A pod that nobody runs, by its UID. */
export async function makePod(
  api: ApiServer,
  namespace: string,
  name: string,
  account: string,
): Promise<string> {
  const pod = {
    metadata: { name },
    spec: {
      serviceAccountName: account,
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'none' }],
    },
  };
  return (await made(api, `/api/v1/namespaces/${namespace}/pods`, pod)).metadata.uid;
}

export type TokenOptions = {
  readonly audience?: string;
  /** The pod that it is bound to. */
  readonly pod?: { readonly name: string; readonly uid: string };
};

/** A token as kubelet asks for one. */
export async function tokenFor(
  api: ApiServer,
  namespace: string,
  account: string,
  { audience = 'vault', pod }: TokenOptions = {},
): Promise<string> {
  const answer = await made(api, `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`, {
    spec: {
      audiences: [audience],
      expirationSeconds: 600,
      ...(pod === undefined ? {} : { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', ...pod } }),
    },
  });
  return answer.status.token;
}

/** The same token, signed by the cluster again with other times: nobody can wait for the ten minutes that the shortest one lives. */
export async function expired(api: ApiServer, token: string): Promise<string> {
  const key = await importPKCS8(await readFile(join(api.dir, 'sa.key'), 'utf8'), 'RS256');
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({ ...decodeJwt(token), iat: now - 900, nbf: now - 900, exp: now - 300 })
    .setProtectedHeader({ ...decodeProtectedHeader(token), alg: 'RS256' })
    .sign(key);
}

/** Makes an object. @throws with the API server's answer when it refuses */
// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
export async function made(api: ApiServer, path: string, body: object): Promise<any> {
  const answer = await api.request('POST', path, body);
  if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}
