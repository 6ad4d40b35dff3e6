import { TRUST_DOMAIN } from './lab.ts';

/** What the UI sends for a new issuer, with the fields that the operator fills in. */
export const newIssuer = (name: string) => ({
  common_name: `Signet issuing CA ${name}`,
  issuer_name: name,
  uri_sans: [`spiffe://${TRUST_DOMAIN}`],
  key_type: 'ec',
  key_bits: '256',
  max_path_length: 0,
  exclude_cn_from_sans: true,
  format: 'pem',
  private_key_format: 'der',
  not_before_duration: '30s',
  ttl: '43800h',
});
