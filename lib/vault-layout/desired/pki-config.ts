import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { bodyOf, type Resource, type Setting } from './resource.ts';

const { pki, root } = MOUNTS;

/** Where issuers and CRLs are found. A certificate carries what holds when it is made, so this comes before the CAs. */
export function pkiAddresses(layout: Layout): Resource[] {
  return mountsOf(layout).flatMap((mount) => published(mount, layout));
}

/** How the CAs revoke and tidy; and the ways into them that have to stay shut. */
export function pkiConfig(layout: Layout): Resource[] {
  return [...mountsOf(layout).flatMap((mount) => [crl(mount), acme(mount)]), tidy()];
}

function mountsOf(layout: Layout): string[] {
  return layout.root === 'vault' ? [pki, root] : [pki];
}

function config(mount: string, name: string, settings: readonly Setting[]): Resource {
  const path = `${mount}/config/${name}`;
  return {
    id: `${mount === pki ? 'pki' : 'pki-root'}-${name}`,
    path,
    settings,
    missing: 'it is not set',
    write: { create: { path, body: bodyOf(settings) }, update: { path, send: 'changed' } },
  };
}

function published(mount: string, { publicUrl }: Layout): Resource[] {
  const foreign =
    'verifiers are sent to a stranger for issuers and CRLs, who learns of them or holds revocations back';
  const at = publicUrl === undefined ? undefined : `${publicUrl}/v1/${mount}`;
  const url = (what: string) =>
    at === undefined ? [] : [`{{cluster_aia_path}}/issuer/{{issuer_id}}/${what}`];
  return [
    // Vault takes no empty address back; without templates in `urls` nothing reads it.
    ...(at === undefined
      ? []
      : [
          config(mount, 'cluster', [
            { name: 'path', want: at, allows: foreign },
            { name: 'aia_path', want: at, allows: foreign },
          ]),
        ]),
    config(mount, 'urls', [
      { name: 'issuing_certificates', want: url('der'), allows: foreign },
      { name: 'crl_distribution_points', want: url('crl/der'), allows: foreign },
      { name: 'ocsp_servers', want: [], allows: foreign },
      {
        name: 'enable_templating',
        want: at !== undefined,
        allows: 'the addresses in certificates are not real ones',
      },
    ]),
  ];
}

function crl(mount: string): Resource {
  return config(mount, 'crl', [
    { name: 'disable', want: false, allows: 'revoked certificates stay good: no CRL is written' },
    {
      name: 'auto_rebuild',
      want: true,
      allows: 'the CRL runs out if nobody revokes anything, and verifiers have nothing to go by',
    },
    { name: 'expiry', want: '72h', allows: 'verifiers go by an old CRL for longer' },
  ]);
}

function acme(mount: string): Resource {
  return config(mount, 'acme', [
    {
      name: 'enabled',
      want: false,
      allows: 'anyone on the network gets certificates from this CA without a token',
    },
  ]);
}

function tidy(): Resource {
  return config(pki, 'auto-tidy', [
    {
      name: 'enabled',
      want: true,
      allows: 'expired certificates of brokers and expired revocations pile up',
    },
    { name: 'tidy_cert_store', want: true, allows: 'expired certificates of brokers pile up' },
    { name: 'tidy_revoked_certs', want: true, allows: 'expired revocations pile up' },
  ]);
}
