import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startChild } from '../../harness/child.ts';
import { freePort } from '../../harness/port.ts';

const run = promisify(execFile);
const BIN = process.env['SIGNET_KUBE_BIN'] ?? '';
const kube = () => process.env['SIGNET_KUBE'] ?? join(BIN, 'kube');
export const helmBinary = () => process.env['SIGNET_HELM_BIN'] ?? join(BIN, 'helm');
export const authPlugin = () => join(BIN, 'vault-plugin-auth-kubernetes');

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find
type Json = any;
export type Answer = { readonly status: number; readonly body: Json };

export interface ApiServer extends AsyncDisposable {
  readonly url: string;
  readonly caCert: string;
  readonly caFile: string;
  readonly kubeconfig: string;
  readonly dir: string;
  request(
    method: string,
    path: string,
    body?: object,
    extra?: { token?: string; type?: string },
  ): Promise<Answer>;
  kubectl(...args: string[]): Promise<string>;
  audit(): Promise<Json[]>;
}

export async function startApiServer(): Promise<ApiServer> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-kube-'));
  const openssl = (...args: string[]) => run('openssl', args, { cwd: dir });
  const key = (name: string) =>
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  await key('ca');
  await openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    'ca.key',
    '-subj',
    '/CN=kube-ca',
    '-days',
    '10',
    '-out',
    'ca.crt',
  );
  const cert = async (name: string, subject: string, eku: string, san = '') => {
    await key(name);
    await openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`);
    await writeFile(
      join(dir, `${name}.ext`),
      `extendedKeyUsage=${eku}\n${san === '' ? '' : `subjectAltName=${san}\n`}`,
    );
    await openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '10',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    );
  };
  await cert(
    'apiserver',
    '/CN=kube-apiserver',
    'serverAuth',
    'DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1',
  );
  await cert('admin', '/O=system:masters/CN=admin', 'clientAuth');
  await openssl('genrsa', '-out', 'sa.key', '2048');
  await openssl('rsa', '-in', 'sa.key', '-pubout', '-out', 'sa.pub');
  for (const name of ['etcd', 'kube-apiserver', 'kubectl']) await symlink(kube(), join(dir, name));
  await writeFile(
    join(dir, 'audit.yaml'),
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n  - level: Metadata\n',
  );
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const [client, peer] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${peerPort}`];
  const etcd = await startChild(
    join(dir, 'etcd'),
    [
      '--name',
      'e',
      '--data-dir',
      join(dir, 'data'),
      '--listen-client-urls',
      client,
      '--advertise-client-urls',
      client,
      '--listen-peer-urls',
      peer,
      '--initial-advertise-peer-urls',
      peer,
      '--initial-cluster',
      `e=${peer}`,
      '--unsafe-no-fsync',
      '--log-level',
      'error',
    ],
    { cwd: dir },
  );
  const url = `https://127.0.0.1:${port}`;
  const at = (name: string) => join(dir, name);
  await mkdir(at('certs'));
  const server = await startChild(
    at('kube-apiserver'),
    [
      `--etcd-servers=${client}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      '--advertise-address=127.0.0.1',
      `--tls-cert-file=${at('apiserver.crt')}`,
      `--tls-private-key-file=${at('apiserver.key')}`,
      `--client-ca-file=${at('ca.crt')}`,
      `--cert-dir=${at('certs')}`,
      `--service-account-issuer=${url}`,
      `--service-account-key-file=${at('sa.pub')}`,
      `--service-account-signing-key-file=${at('sa.key')}`,
      `--api-audiences=${url}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      '--authorization-mode=Node,RBAC',
      '--endpoint-reconciler-type=none',
      `--audit-policy-file=${at('audit.yaml')}`,
      `--audit-log-path=${at('audit.log')}`,
      '--audit-log-mode=blocking',
      '--profiling=false',
    ],
    { cwd: dir },
  );
  const caCert = await readFile(at('ca.crt'), 'utf8');
  const [adminCert, adminKey] = [
    await readFile(at('admin.crt'), 'utf8'),
    await readFile(at('admin.key'), 'utf8'),
  ];
  const b64 = (text: string) => Buffer.from(text).toString('base64');
  const kubeconfig = at('admin.kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'x',
      clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority-data': b64(caCert) } }],
      users: [
        { name: 'u', user: { 'client-certificate-data': b64(adminCert), 'client-key-data': b64(adminKey) } },
      ],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    }),
  );
  const send: ApiServer['request'] = (method, path, body, { token, type = 'application/json' } = {}) =>
    new Promise((resolve, reject) => {
      const call = request(
        `${url}${path}`,
        {
          method,
          ca: caCert,
          ...(token === undefined ? { cert: adminCert, key: adminKey } : {}),
          headers: {
            'content-type': type,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
        },
        (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (chunk) => {
              text += chunk;
            })
            .on('end', () => {
              let parsed: Json = text;
              try {
                parsed = JSON.parse(text);
              } catch {}
              resolve({ status: response.statusCode ?? 0, body: parsed });
            });
        },
      );
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const end = performance.now() + 60_000;
  for (;;) {
    const answer = await send('GET', '/readyz').catch(() => undefined);
    if (answer?.status === 200) break;
    if (performance.now() > end) throw new Error(server.stderr());
    await sleep(50);
  }
  return {
    url,
    caCert,
    caFile: at('ca.crt'),
    kubeconfig,
    dir,
    request: send,
    kubectl: async (...args) =>
      (await run(at('kubectl'), ['--kubeconfig', kubeconfig, ...args], { cwd: dir })).stdout,
    audit: async () =>
      (await readFile(at('audit.log'), 'utf8'))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    async [Symbol.asyncDispose]() {
      await server.stop(5_000);
      await etcd.stop(5_000);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
