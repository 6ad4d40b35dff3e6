import { createHash, X509Certificate } from 'node:crypto';
import { SignetError } from '../errors.ts';
import { MOUNTS } from '../grant/index.ts';
import { type CertificateInfo, pemToDer, readCertificate } from '../svid/index.ts';
import type { Actual, PkiState } from './actual.ts';
import type { Layout } from './layout.ts';
import type { PlannedChange } from './plan.ts';
import type { VaultPort } from './port.ts';

const { pki, root } = MOUNTS;
const ROOT_TTL = '87600h';
const ISSUER_TTL = '43800h';
const KEY_NAME = 'signet-issuing';

/**
 * The CAs, each made only where there is none. The issuing CA's key is made in Vault and never leaves it; if a run ends between
 * the key and its certificate, the next one takes up the same key.
 */
export function caChanges(
  actual: Actual,
  layout: Layout,
  signedIntermediate: string | undefined,
): PlannedChange[] {
  const changes: PlannedChange[] = [];
  if (layout.root === 'vault' && actual.root.issuers.length === 0) changes.push(createRoot(layout));
  if (signedIntermediate !== undefined) changes.push(...importIssuer(actual.pki, layout, signedIntermediate));
  else if (!canSign(actual.pki)) {
    changes.push(...(layout.root === 'vault' ? [createIssuer(layout, actual.pki)] : createKey(actual.pki)));
  }
  if (actual.pki.followsLatest) changes.push(stayWithDefault(actual.pki));
  return changes;
}

/** Whether any issuer of the engine has its key in Vault. */
export function canSign(state: PkiState): boolean {
  return state.issuers.some((issuer) => issuer.keyId !== '');
}

/** The issuing CA's certificate request (PEM), from the key that waits for it. */
export async function issuingCsr(vault: VaultPort, layout: Layout): Promise<string> {
  const { data } = await vault.request('POST', `${pki}/issuers/generate/intermediate/existing`, {
    ...subject(layout, 'issuing CA'),
    key_ref: KEY_NAME,
    add_basic_constraints: true,
  });
  return (data as { csr: string }).csr;
}

function subject({ trustDomain }: Layout, what: string): object {
  return {
    common_name: `Signet ${what} of ${trustDomain}`,
    uri_sans: `spiffe://${trustDomain}`,
    exclude_cn_from_sans: true,
    format: 'pem',
  };
}

function createRoot(layout: Layout): PlannedChange {
  return {
    kind: 'create',
    summary: `root CA in ${root}: EC P-256, ten years, spiffe://${layout.trustDomain}`,
    async make(vault) {
      await vault.request('POST', `${root}/root/generate/internal`, {
        ...subject(layout, 'root CA'),
        issuer_name: 'root',
        key_type: 'ec',
        key_bits: 256,
        max_path_length: 1,
        ttl: ROOT_TTL,
      });
    },
  };
}

function createKey(state: PkiState): PlannedChange[] {
  if (hasKey(state)) return [];
  return [
    {
      kind: 'create',
      summary: `key of the issuing CA in ${pki}: EC P-256, made in Vault; its request goes to the keeper of the root`,
      make: makeKey,
    },
  ];
}

function hasKey(state: PkiState): boolean {
  return [...state.keys.values()].some((key) => key.name === KEY_NAME);
}

async function makeKey(vault: VaultPort): Promise<void> {
  await vault.request('POST', `${pki}/keys/generate/internal`, {
    key_name: KEY_NAME,
    key_type: 'ec',
    key_bits: 256,
  });
}

function createIssuer(layout: Layout, state: PkiState): PlannedChange {
  return {
    kind: 'create',
    summary: `issuing CA in ${pki}: EC P-256, five years, path length 0, signed by the root CA`,
    async make(vault) {
      if (!hasKey(state)) await makeKey(vault);
      const signed = await vault.request('POST', `${root}/root/sign-intermediate`, {
        ...subject(layout, 'issuing CA'),
        csr: await issuingCsr(vault, layout),
        max_path_length: 0,
        ttl: ISSUER_TTL,
      });
      await importChain(vault, (signed.data as { ca_chain: string[] }).ca_chain.join('\n'));
    },
  };
}

function importIssuer(state: PkiState, layout: Layout, chain: string): PlannedChange[] {
  const [issuer] = checkChain(chain, layout);
  if (state.issuers.some((known) => readPem(known.pem)[0]?.serial === issuer.serial)) return [];
  if (![...state.keys.values()].some((key) => key.subjectKeyId === keyIdOf(issuer))) {
    throw new SignetError(
      'LAYOUT_CONFLICT',
      `the signed intermediate is not for a key in ${pki}: was it made from the request printed here?`,
    );
  }
  const first = !canSign(state);
  return [
    {
      kind: 'create',
      summary: `issuing CA in ${pki}: serial ${issuer.serial}, signed outside${first ? '' : '; it signs once signet-operator makes it the default'}`,
      make: (vault) => importChain(vault, chain, first),
    },
  ];
}

async function importChain(vault: VaultPort, chain: string, makeDefault = true): Promise<void> {
  const { data } = await vault.request('POST', `${pki}/intermediate/set-signed`, { certificate: chain });
  const { mapping } = data as { mapping: Record<string, string> };
  const [id] = Object.entries(mapping).find(([, key]) => key !== '') ?? [];
  if (makeDefault && id !== undefined) await vault.request('POST', `${pki}/config/issuers`, { default: id });
}

function stayWithDefault({ defaultIssuer }: PkiState): PlannedChange {
  return {
    kind: 'change',
    summary: `${pki}/config/issuers: default_follows_latest_issuer true -> false`,
    async make(vault) {
      await vault.request('POST', `${pki}/config/issuers`, {
        default: defaultIssuer,
        default_follows_latest_issuer: false,
      });
    },
  };
}

/** The intermediate first, then whoever signed it, up to a root: a bundle can be made of nothing less. */
function checkChain(pem: string, layout: Layout): [CertificateInfo, ...CertificateInfo[]] {
  const [issuer, ...above] = readPem(pem);
  if (issuer === undefined) throw unusable('there is no certificate in it');
  if (!issuer.isCa || issuer.pathLength !== 0) throw unusable('it is not a CA of path length 0');
  if (issuer.uriSans.join() !== `spiffe://${layout.trustDomain}`) {
    throw unusable(`its URI SAN is not spiffe://${layout.trustDomain}`);
  }
  const top = above.at(-1);
  if (top === undefined || Buffer.compare(top.issuerDer, top.subjectDer) !== 0) {
    throw unusable('its chain does not end in a root: put the certificates above it behind it');
  }
  checkSignatures(pem);
  return [issuer, ...above];
}

/** Each is signed by the one behind it, and the last by itself. */
function checkSignatures(pem: string): void {
  const chain = pemToDer(pem).map((der) => new X509Certificate(der));
  chain.forEach((certificate, i) => {
    const signer = chain[i + 1] ?? certificate;
    if (!certificate.checkIssued(signer) || !certificate.verify(signer.publicKey)) {
      throw unusable('a certificate in its chain was not signed by the one behind it');
    }
  });
}

function unusable(why: string): SignetError {
  return new SignetError('LAYOUT_CONFLICT', `the signed intermediate cannot be used: ${why}`);
}

/** The certificates in a PEM text. */
export function readPem(pem: string): CertificateInfo[] {
  return pemToDer(pem).map(readCertificate);
}

/** The subject key identifier as Vault computes it (RFC 5280 §4.2.1.2, method 1) for a P-256 key: SHA-1 of the point. */
function keyIdOf(certificate: CertificateInfo): string {
  return createHash('sha1').update(certificate.spkiDer.subarray(-65)).digest('hex');
}
