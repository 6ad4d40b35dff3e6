import { brokerId, MOUNTS, policyId } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { BROKER_CERTIFICATE_TTL } from '../policies/index.ts';
import { secondsOf } from '../ttl.ts';
import { bodyOf, type Resource, type Setting } from './resource.ts';

/** The longest that the certificate of the key that signs policies lives. */
export const POLICY_CERTIFICATE_TTL = '8760h';

/** The roles that sign: one for workloads, one for the broker's own certificate, one for the key that signs policies. */
export function pkiRoles(layout: Layout, tokenAccessor: string): Resource[] {
  const ttls = layout.svidTtls.map((word) => secondsOf(word) ?? 0);
  return [
    role('workload', 'no SVID can be signed', [
      {
        name: 'allowed_uri_sans',
        want: [`spiffe://${layout.trustDomain}/{{identity.entity.aliases.${tokenAccessor}.name}}`],
        allows:
          "a grant for one ID mints the others that this pattern covers, or, if its accessor is not the token engine's (a restored Vault), none",
      },
      {
        name: 'allowed_uri_sans_template',
        want: true,
        allows:
          'the template is taken as plain text, so nothing ties a certificate to the entity it was granted to',
      },
      { name: 'allow_ip_sans', want: false, allows: 'a workload gets a certificate for any IP address' },
      {
        name: 'allowed_domains',
        want: [],
        allows:
          'a workload gets a certificate for DNS names, mail addresses or common names of these domains',
      },
      { name: 'ttl', want: Math.min(...ttls), allows: 'a request without a lifetime gets this one' },
      {
        name: 'max_ttl',
        want: Math.max(...ttls),
        allows: 'SVIDs live longer than the layout says, and so does a stolen key',
      },
      { name: 'no_store', want: true, allows: "every SVID is kept in Vault's storage, which renewals fill" },
    ]),
    role(
      'broker',
      'the broker gets no certificate and cannot serve',
      [
        {
          name: 'allowed_uri_sans',
          want: [brokerId(layout.trustDomain).toString()],
          allows: "the broker's credential mints certificates of workloads",
        },
        { name: 'allowed_uri_sans_template', want: false, allows: 'the allowed URI depends on who asks' },
        { name: 'allow_ip_sans', want: true, allows: 'the broker cannot be reached by address' },
        {
          name: 'allowed_domains',
          want: layout.broker.dns,
          allows: "the broker's credential mints certificates for other hosts",
        },
        {
          name: 'ttl',
          want: secondsOf(BROKER_CERTIFICATE_TTL) ?? 0,
          allows: 'a stolen broker key is good for longer',
        },
        {
          name: 'max_ttl',
          want: secondsOf(BROKER_CERTIFICATE_TTL) ?? 0,
          allows: 'a stolen broker key is good for longer',
        },
        {
          name: 'no_store',
          want: false,
          allows: "the broker's certificate cannot be found and revoked in the Vault UI",
        },
      ],
      { allow_bare_domains: layout.broker.dns.length > 0 },
    ),
    role('policy', 'no sidecar takes a policy or a deny-list from a broker', [
      {
        name: 'allowed_uri_sans',
        want: [policyId(layout.trustDomain).toString()],
        allows: 'a certificate made to sign policies passes for a workload or the broker',
      },
      { name: 'allowed_uri_sans_template', want: false, allows: 'the allowed URI depends on who asks' },
      { name: 'allow_ip_sans', want: false, allows: NAMES },
      { name: 'allowed_domains', want: [], allows: NAMES },
      ...(['ttl', 'max_ttl'] as const).map((name) => ({
        name,
        want: secondsOf(POLICY_CERTIFICATE_TTL) ?? 0,
        allows: 'a key that is not in use any more signs policies for longer',
      })),
      {
        name: 'no_store',
        want: false,
        allows: "the policy key's certificate cannot be found and revoked in the Vault UI",
      },
      { name: 'server_flag', want: false, allows: USES_TLS },
      { name: 'client_flag', want: false, allows: USES_TLS },
      { name: 'code_signing_flag', want: true, allows: 'no sidecar takes what the key signs' },
    ]),
  ];
}

function role(
  name: string,
  missing: string,
  own: readonly Setting[],
  instead: { allow_bare_domains?: boolean } = {},
): Resource {
  const path = `${MOUNTS.pki}/roles/${name}`;
  const settings = [
    ...own,
    ...COMMON.filter(({ name }) => own.every((s) => s.name !== name)).map((s) =>
      s.name in instead ? { ...s, want: instead.allow_bare_domains ?? s.want } : s,
    ),
  ];
  return {
    id: `pki-role-${name}`,
    path,
    settings,
    missing,
    // A write resets every field that it leaves out, so all are always sent.
    write: { create: { path, body: bodyOf(settings) }, update: { path, send: 'all' } },
  };
}

const NAMES = 'the certificate carries names that nobody attested';
const SUBJECT = 'the certificate carries a subject that nobody attested, which other software may trust';
const USES = 'the certificate is good for more than TLS';
const USES_TLS = 'whoever holds the certificate of a policy key speaks TLS with it';

const COMMON: readonly Setting[] = [
  { name: 'use_csr_sans', want: false, allows: 'the caller puts any name into the certificate by its CSR' },
  {
    name: 'use_csr_common_name',
    want: false,
    allows: 'the caller puts any common name into the certificate by its CSR',
  },
  {
    name: 'require_cn',
    want: false,
    allows: 'a common name is demanded, so SVIDs without a subject are refused',
  },
  { name: 'cn_validations', want: ['email', 'hostname'], allows: 'any common name passes unchecked' },
  { name: 'allow_any_name', want: false, allows: 'any DNS name is signed' },
  {
    name: 'allow_localhost',
    want: false,
    allows: 'localhost is signed, and any local service can be played',
  },
  { name: 'allow_bare_domains', want: false, allows: NAMES },
  { name: 'allow_subdomains', want: false, allows: NAMES },
  { name: 'allow_glob_domains', want: false, allows: NAMES },
  { name: 'allow_wildcard_certificates', want: false, allows: 'a certificate for every host of a domain' },
  { name: 'allowed_domains_template', want: false, allows: NAMES },
  { name: 'enforce_hostnames', want: true, allows: 'names that are no host names are signed' },
  { name: 'allowed_other_sans', want: [], allows: 'other kinds of name (such as a Windows user) are signed' },
  { name: 'allowed_user_ids', want: [], allows: SUBJECT },
  { name: 'allowed_serial_numbers', want: [], allows: SUBJECT },
  { name: 'serial_number_source', want: 'json', allows: SUBJECT },
  { name: 'organization', want: [], allows: SUBJECT },
  { name: 'ou', want: [], allows: SUBJECT },
  { name: 'country', want: [], allows: SUBJECT },
  { name: 'locality', want: [], allows: SUBJECT },
  { name: 'province', want: [], allows: SUBJECT },
  { name: 'street_address', want: [], allows: SUBJECT },
  { name: 'postal_code', want: [], allows: SUBJECT },
  { name: 'policy_identifiers', want: [], allows: 'the certificate claims a policy that nobody checked' },
  { name: 'key_type', want: 'ec', allows: 'weak or unexpected keys are signed' },
  { name: 'key_bits', want: 256, allows: 'weak or unexpected keys are signed' },
  { name: 'signature_bits', want: 0, allows: "the signature is weaker than the issuer's key" },
  { name: 'use_pss', want: false, allows: 'signatures of a kind that verifiers may refuse' },
  {
    name: 'key_usage',
    want: ['DigitalSignature'],
    allows: 'SPIFFE forbids key usages that can sign certificates; any other is not needed',
  },
  { name: 'ext_key_usage', want: [], allows: USES },
  { name: 'ext_key_usage_oids', want: [], allows: USES },
  { name: 'server_flag', want: true, allows: 'SVIDs that cannot serve' },
  { name: 'client_flag', want: true, allows: 'SVIDs that cannot call' },
  { name: 'code_signing_flag', want: false, allows: 'the certificate signs code' },
  { name: 'email_protection_flag', want: false, allows: 'the certificate signs mail' },
  {
    name: 'basic_constraints_valid_for_non_ca',
    want: true,
    allows: 'the leaf does not say that it is no CA',
  },
  {
    name: 'not_before_duration',
    want: 30,
    allows: 'certificates are valid long before they were made, or not yet where a clock is late',
  },
  {
    name: 'not_after',
    want: '',
    allows: 'a request that names no lifetime gets this date; every other is refused',
  },
  {
    name: 'generate_lease',
    want: false,
    allows: 'the single use of a grant ends in an error, because a lease is written after it',
  },
  {
    name: 'issuer_ref',
    want: 'default',
    allows: 'certificates come from an issuer that the operator did not choose',
  },
];
