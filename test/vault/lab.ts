import 'reflect-metadata';
import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import {
  type JsonGeneralName,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { type Entry, parseEntry } from '../../lib/attestation/index.ts';
import { entryPath, tokenRole, tokenRoleName } from '../../lib/grant/index.ts';
import { Secret } from '../../lib/secret.ts';
import { type CertificateInfo, createCsr, readCertificate } from '../../lib/svid/index.ts';
import {
  type Applied,
  type ApplyOptions,
  applyLayout,
  examineVault,
  type Layout,
  parseLayout,
  type Report,
  type VaultPort,
} from '../../lib/vault-layout/index.ts';
import { startVault, type TestVault, type VaultAnswer } from '../support/vault.ts';

/** A real Vault with the layout applied, and the people and programs that use it. */
export interface Lab extends AsyncDisposable {
  readonly vault: TestVault;
  readonly layout: Layout;
  /** As root. */
  readonly port: VaultPort;
  apply(layout?: Layout, options?: ApplyOptions): Promise<Applied>;
  examine(): Promise<Report>;
  /** A token that has these policies and no other. */
  tokenOf(...policies: string[]): Promise<string>;
  /** What a broker gets when it logs in. */
  brokerToken(): Promise<string>;
  /** Writes an entry, as root: its document and its token role. */
  register(entry?: Partial<Entry>): Promise<Entry>;
  /** Asks as the broker for a grant and unwraps it: the single-use token. @throws when Vault refuses */
  grant(role: string, alias: string): Promise<string>;
  /** Asks Vault to sign with a token; what is not given is as a sidecar asks. */
  sign(token: string, body?: Readonly<Record<string, unknown>>): Promise<VaultAnswer>;
}

export const TRUST_DOMAIN = 'example.org';

export const DOCUMENT = {
  trust_domain: TRUST_DOMAIN,
  svid_ttls: ['15m', '1h'],
  tenants: [
    { name: 'acme/shop', id_prefixes: ['ns/shop/', 'device/shop/'] },
    { name: 'acme-2', id_prefixes: ['ns/other/'] },
  ],
  broker: { dns: ['localhost'] },
};

/** Starts a Vault, or takes the one that is given, and applies the layout. */
export async function openLab(
  document: object = DOCUMENT,
  options: ApplyOptions = {},
  given?: TestVault,
): Promise<Lab> {
  const vault = given ?? (await startVault());
  const layout = parseLayout(document);
  const client = createVault({ address: vault.address });
  const port = withToken(client, new Secret(vault.rootToken));
  await applyLayout(port, layout, options);
  const { request } = vault;
  let broker: string | undefined;

  const lab: Lab = {
    vault,
    layout,
    port,
    apply: (other = layout, more = {}) => applyLayout(port, other, more),
    examine: () => examineVault(port, layout, { now: new Date(), nodeVersion: '26.13.1' }),
    async tokenOf(...policies) {
      const made = await request('POST', 'auth/token/create', {
        policies,
        no_parent: true,
        no_default_policy: true,
      });
      return made.body.auth.client_token;
    },
    async brokerToken() {
      broker ??= await logInAsBroker(vault);
      return broker;
    },
    async register(partial = {}) {
      const entry = parseEntry({ ...ORDERS, ...partial }, { trustDomain: TRUST_DOMAIN });
      await expectOk(request('POST', `auth/token/roles/${tokenRoleName(entry)}`, tokenRole(entry)));
      await request('DELETE', `signet/metadata/${entryPath(entry)}`);
      await expectOk(
        request('POST', `signet/data/${entryPath(entry)}`, { data: entry, options: { cas: 0 } }),
      );
      return entry;
    },
    async grant(role, alias) {
      const token = await lab.brokerToken();
      const body = { entity_alias: alias, num_uses: '1' };
      const made = await request('POST', `auth/token/create/${role}`, body, { token, wrapTtl: '60s' });
      if (made.status !== 200) throw new Error(`no grant: ${made.status} ${JSON.stringify(made.body)}`);
      const opened = await request('POST', 'sys/wrapping/unwrap', undefined, {
        token: made.body.wrap_info.token,
      });
      return opened.body.auth.client_token;
    },
    sign: (token, body = {}) =>
      request(
        'POST',
        'signet-pki/sign/workload',
        { csr: newCsr(), uri_sans: ORDERS_ID, ttl: '15m', ...body },
        { token },
      ),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await vault.stop();
    },
  };
  return lab;
}

export const ORDERS = {
  tenant: 'acme/shop',
  name: 'orders',
  match: { 'k8s:ns': 'shop', 'k8s:sa': 'orders' },
  spiffe_id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/orders`,
  ttl: '15m',
};
export const ORDERS_ID = ORDERS.spiffe_id;
export const ORDERS_ALIAS = 'ns/shop/sa/orders';
export const ORDERS_ROLE = 'signet-acme.shop_orders';

/** A request as a sidecar makes it: a key, no subject, no names. */
export function newCsr(): string {
  return createCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey).pem;
}

export type CsrOptions = {
  /** For `generateKey`; EC P-256 if not given. */
  readonly keys?: object;
  readonly subject?: string;
  readonly sans?: JsonGeneralName[];
};

/** A request that asks for more than a sidecar would. */
export async function csrWith({ keys, subject, sans }: CsrOptions): Promise<string> {
  const algorithm = keys ?? { name: 'ECDSA', namedCurve: 'P-256' };
  const pair = (await webcrypto.subtle.generateKey(algorithm as never, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const csr = await Pkcs10CertificateRequestGenerator.create({
    keys: pair,
    signingAlgorithm: { ...algorithm, hash: 'SHA-256' } as never,
    ...(subject === undefined ? {} : { name: subject }),
    ...(sans === undefined ? {} : { extensions: [new SubjectAlternativeNameExtension(sans)] }),
  });
  return csr.toString('pem');
}

/** The leaf in Vault's answer to `sign`. */
export function leafIn(answer: VaultAnswer): CertificateInfo {
  if (answer.status !== 200)
    throw new Error(`no certificate: ${answer.status} ${JSON.stringify(answer.body)}`);
  return readCertificate(new X509Certificate(answer.body.data.certificate).raw);
}

export async function expectOk(call: Promise<VaultAnswer>): Promise<VaultAnswer> {
  const answer = await call;
  if (answer.status >= 300) throw new Error(`Vault refused: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

async function logInAsBroker({ request }: TestVault): Promise<string> {
  const role = 'auth/signet-approle/role/broker';
  const { body: id } = await request('GET', `${role}/role-id`);
  const { body: secret } = await request('POST', `${role}/secret-id`, {});
  const login = await expectOk(
    request(
      'POST',
      'auth/signet-approle/login',
      { role_id: id.data.role_id, secret_id: secret.data.secret_id },
      { token: '' },
    ),
  );
  return login.body.auth.client_token;
}
