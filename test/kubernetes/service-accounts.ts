import { readFile } from 'node:fs/promises';
import { decodeJwt, decodeProtectedHeader, importPKCS8, SignJWT } from 'jose';
import type { ApiServer } from '../../harness/kubernetes/api-server.ts';

/** The same token, signed by the cluster again with other times: nobody can wait for the ten minutes that the shortest one lives. */
export async function expired(api: ApiServer, token: string): Promise<string> {
  const key = await importPKCS8(await readFile(api.pki.tokenKeyFile, 'utf8'), 'RS256');
  const now = Math.floor(Date.now() / 1000);
  return await new SignJWT({ ...decodeJwt(token), iat: now - 900, nbf: now - 900, exp: now - 300 })
    .setProtectedHeader({ ...decodeProtectedHeader(token), alg: 'RS256' })
    .sign(key);
}
