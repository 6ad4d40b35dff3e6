import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { CLIENT_AUTH, createCa, SERVER_AUTH, type TestCa } from '../../test/support/ca.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Where a cluster's keys and certificates lie, each `name.crt` with its `name.key`. */
export interface Pki {
  readonly caFile: string;
  readonly caCert: string;
  /** Signs service accounts' tokens; `.pub` beside it verifies them. */
  readonly tokenKeyFile: string;
  /** A certificate of a server by these names and addresses; the file's path without its ending. */
  server(name: string, hosts: readonly string[]): Promise<string>;
  /** A kubeconfig file of a user whom a client certificate names; its path, beside `.crt` and `.key` of the same. */
  user(name: string, user: string, groups?: readonly string[]): Promise<User>;
}

export interface User {
  readonly kubeconfig: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes the CA and the key of tokens of a cluster that is reached at `url`. */
export async function createPki(folder: string, url: string): Promise<Pki> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const at = (name: string) => join(folder, name);
  const ca = await createCa('kubernetes', { sans: null, notAfter: inDays(30) });
  const tokens = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await write(at('ca.crt'), ca.pem);
  await write(at('ca.key'), ca.privateKeyPem);
  await write(at('tokens.key'), tokens.privateKey);
  await write(at('tokens.key.pub'), tokens.publicKey);
  return {
    caFile: at('ca.crt'),
    caCert: ca.pem,
    tokenKeyFile: at('tokens.key'),
    server: async (name, hosts) => {
      const sans = hosts.map((host) => ({
        type: isIP(host) ? ('ip' as const) : ('dns' as const),
        value: host,
      }));
      const made = await issue(ca, `CN=${name}`, SERVER_AUTH, sans);
      await write(at(`${name}.crt`), made.pem);
      await write(at(`${name}.key`), made.privateKeyPem);
      return at(name);
    },
    user: async (name, user, groups = []) => {
      const subject = [...groups.map((group) => `O=${group}`), `CN=${user}`].join(', ');
      const made = await issue(ca, subject, CLIENT_AUTH, null);
      await write(at(`${name}.crt`), made.pem);
      await write(at(`${name}.key`), made.privateKeyPem);
      const credentials = {
        'client-certificate-data': base64(made.pem),
        'client-key-data': base64(made.privateKeyPem),
      };
      await write(at(`${name}.kubeconfig`), kubeconfigOf(url, ca.pem, credentials));
      return { kubeconfig: at(`${name}.kubeconfig`), cert: made.pem, key: made.privateKeyPem };
    },
  };
}

/** A kubeconfig with one cluster, one user, one context. JSON, which is YAML too. */
export function kubeconfigOf(url: string, caCert: string, user: object): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': base64(caCert) } }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}

function issue(
  ca: TestCa,
  subject: string,
  usage: string,
  sans: { type: 'ip' | 'dns'; value: string }[] | null,
) {
  return ca.leaf('', { subject, sans, sanCritical: false, extendedKeyUsage: [usage], notAfter: inDays(29) });
}

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const write = (file: string, text: string) => writeFile(file, text, { mode: 0o600 });
