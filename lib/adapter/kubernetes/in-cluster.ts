import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from '../../secret.ts';
import { type Access, type AccessSource, rereading, unreadable } from './access.ts';

export const IN_CLUSTER_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The kubelet replaces the token long before it runs out, and the CA when that changes; both are files of one folder. */
export function inClusterAccess(cluster: string, server: URL, folder: string): AccessSource {
  const files = [join(folder, 'ca.crt'), join(folder, 'token')] as const;
  return rereading<Access>(cluster, async () => {
    const [ca, token] = await Promise.all([readFile(files[0], 'utf8'), readFile(files[1], 'utf8')]);
    if (ca.trim() === '' || token.trim() === '') throw unreadable(cluster, 'a file is empty');
    return { value: { server, tls: { ca }, token: new Secret(token.trim()) }, files };
  });
}
