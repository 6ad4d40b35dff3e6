// Renders into terraform/modules/delegation what `signet delegate` (lib/vault-layout/delegations) writes, so that it is said once.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  issuerConfig,
  loginRole,
  runPolicies,
  TERRAFORM_IDS,
  TERRAFORM_PHASE,
} from '../lib/vault-layout/delegations/index.ts';
import { root } from './paths.mjs';
import { marked, toTemplate } from './render-terraform.mjs';

const room = join(root, 'terraform/modules/delegation');

const [tenant] = /** @type {[typeof marked.tenants[number]]} */ (marked.tenants);

/** @type {import('../lib/vault-layout/delegations/index.ts').Delegation} */
const one = {
  name: 'name-marker',
  issuer: { name: 'issuer', url: 'https://one', jwksUrl: 'https://one/keys', ca: 'one' },
  audience: 'one',
  claims: Object.fromEntries(TERRAFORM_IDS.map((id) => [id, 'one'])),
  phase: TERRAFORM_PHASE,
  tenant: tenant.name,
  idPrefixes: tenant.idPrefixes,
  entries: 'entries-marker-',
  networks: ['10.0.0.0/8'],
  ttl: '1m',
};
/** As different as another can be: what is the same in both is so in all. */
const other = {
  ...one,
  name: 'other',
  issuer: { name: 'issuer', url: 'https://other', jwksUrl: 'https://other/keys', ca: 'other' },
  audience: 'other',
  claims: { other: 'other' },
  networks: [],
  ttl: '2m',
};

/** What main.tf sets by itself. */
const GIVEN = {
  config: ['bound_issuer', 'jwks_url', 'jwks_ca_pem'],
  role: [
    ...['bound_audiences', 'bound_claims', 'token_policies', 'token_bound_cidrs'],
    ...['token_ttl', 'token_explicit_max_ttl', 'token_max_ttl'],
  ],
};

/** Every file of the module that is rendered, by its path in it. @returns {Map<string, string>} */
export function renderDelegation() {
  const locals = {
    phase: TERRAFORM_PHASE,
    config: common(issuerConfig(one), issuerConfig(other), GIVEN.config),
    role: common(loginRole(one, 'write'), loginRole(other, 'write'), GIVEN.role),
  };
  const comment = 'Rendered from lib/vault-layout/delegations by setup/render-delegation.mjs.';
  return new Map([
    ...policies(one, ''),
    ...policies({ ...one, entries: '' }, '-all'),
    ['settings.tf.json', `${JSON.stringify({ '//': comment, locals }, null, 2)}\n`],
  ]);
}

/** @param {typeof one} delegation @param {string} end @returns {[string, string][]} */
function policies(delegation, end) {
  return [...runPolicies(delegation, marked)].map(([name, text]) => [
    `policies/${name.split('_').at(-1)}${end}.hcl.tftpl`,
    toTemplate(text),
  ]);
}

/**
 * @param {import('../lib/vault-layout/delegations/resources.ts').DelegatedResource} a
 * @param {import('../lib/vault-layout/delegations/resources.ts').DelegatedResource} b
 * @param {readonly string[]} given
 */
function common(a, b, given) {
  const values = new Map(b.settings.map(({ name, want }) => [name, JSON.stringify(want)]));
  const differ = a.settings.filter(({ name, want }) => values.get(name) !== JSON.stringify(want));
  const names = differ.map(({ name }) => name);
  if (names.toSorted().join() !== given.toSorted().join())
    throw new Error(`main.tf sets ${given.join()}, and what differs is ${names.join()}`);
  const same = a.settings.filter(({ name }) => !names.includes(name));
  return Object.fromEntries(same.map(({ name, want }) => [name, want]));
}

if (process.argv[1] === import.meta.filename) {
  rmSync(join(room, 'policies'), { recursive: true, force: true });
  for (const [path, text] of renderDelegation()) {
    mkdirSync(dirname(join(room, path)), { recursive: true });
    writeFileSync(join(room, path), text);
  }
}
