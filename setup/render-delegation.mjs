// Renders for terraform/modules/delegation what lib/vault-layout/delegations makes of a delegation: policies, role, configuration, document.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are Terraform's
import { MOUNTS } from '../lib/grant/index.ts';
import {
  accessesOf,
  bodyOf,
  delegationDocument,
  delegationPath,
  issuerConfig,
  JWT_METHOD,
  jwtMount,
  loginRole,
  runPolicies,
  TERRAFORM_IDS,
  TERRAFORM_PHASE,
  wantedClaims,
} from '../lib/vault-layout/delegations/index.ts';
import { choose, each, toTemplate } from './terraform-template.mjs';

/** Of words and numbers that stand nowhere else. @type {import('../lib/vault-layout/delegations/index.ts').Delegation} */
const marked = {
  name: 'name-marker',
  issuer: { name: 'issuer-marker', url: 'url-marker', jwksUrl: 'jwks-marker', ca: 'ca-marker' },
  audience: 'audience-marker',
  claims: { claim: 'claim-marker' },
  phase: { claim: 'phase-marker', write: 'write-marker', read: 'read-marker' },
  tenant: 'tenant/marker',
  idPrefixes: ['prefix/marker/'],
  entries: 'entries-marker',
  networks: ['network-marker'],
  ttl: '3333s',
};
const layout = { svidTtls: ['1111s', '2222s'] };

/** Every file that is rendered, by its path in terraform/modules. @returns {[path: string, text: string][]} */
export function renderDelegation() {
  const role = accessesOf(marked).map(roleTemplate);
  if (new Set(role).size !== 1) throw new Error('the roles of the phases differ in more than their claims');
  const files = {
    ...policyTemplates(),
    'config.json.tftpl': configTemplate(),
    'role.json.tftpl': role[0] ?? '',
    'document.json.tftpl': documentTemplate(),
    'words.json': jsonOf({
      method: JWT_METHOD,
      terraform_ids: TERRAFORM_IDS,
      terraform_phase: TERRAFORM_PHASE,
    }),
  };
  return Object.entries(files).map(([name, text]) => [`delegation/rendered/${name}`, text]);
}

/** @returns {Record<string, string>} */
function policyTemplates() {
  const all = runPolicies({ ...marked, entries: '' }, layout);
  const bare = (/** @type {string} */ line) => line.replaceAll(marked.entries, '');
  const made = Array.from(runPolicies(marked, layout), ([name, text]) => [
    `${name.replace('-name-marker', '')}.hcl.tftpl`.replace('_', '-'),
    toTemplate(choose('entries == ""', all.get(name) ?? '', text, bare), [
      ['["signet-workload-1111s", "signet-workload-2222s"]', each('ttls', '"signet-workload-${item}"')],
      ['["prefix/marker/*"]', each('id_prefixes', '"${item}*"')],
      ['tenant.marker', '${replace(tenant, "/", ".")}'],
      ['tenant/marker', '${tenant}'],
      [marked.entries, '${entries}'],
      [marked.name, '${name}'],
    ]),
  ]);
  return Object.fromEntries(made);
}

/** What stands in a value's place, by its JSON. @type {Readonly<Record<string, string>>} */
const values = {
  [JSON.stringify(marked.name)]: 'name',
  [JSON.stringify(marked.issuer.name)]: 'issuer.name',
  [JSON.stringify(marked.issuer.url)]: 'issuer.url',
  [JSON.stringify(marked.issuer.jwksUrl)]: 'issuer.jwks_url',
  [JSON.stringify(marked.issuer.ca)]: 'issuer.ca',
  [JSON.stringify(marked.audience)]: 'audience',
  [JSON.stringify(marked.claims)]: 'claims',
  [JSON.stringify(wantedClaims(marked, 'write'))]: 'claims',
  [JSON.stringify(wantedClaims(marked, 'read'))]: 'claims',
  [JSON.stringify(marked.phase)]: 'phase',
  [JSON.stringify(marked.tenant)]: 'tenant',
  [JSON.stringify(marked.idPrefixes)]: 'id_prefixes',
  [JSON.stringify(marked.entries)]: 'entries',
  [JSON.stringify(marked.networks)]: 'networks',
  [JSON.stringify(marked.ttl)]: 'ttl',
  3333: 'seconds',
};

/** @param {import('../lib/vault-layout/delegations/index.ts').Access} access */
function roleTemplate(access) {
  const { path, settings } = loginRole(marked, access);
  return jsonTemplate({ path, body: bodyOf({ settings }) }).replaceAll(
    `\${name}_${access}`,
    () => '${name}_${access}',
  );
}

function configTemplate() {
  const { path, settings } = issuerConfig(marked);
  return jsonTemplate({ mount: jwtMount(marked), path, body: bodyOf({ settings }) });
}

function documentTemplate() {
  const text = jsonTemplate({
    path: `${MOUNTS.kv}/data/${delegationPath(marked.name)}`,
    history: `${MOUNTS.kv}/metadata/${delegationPath(marked.name)}`,
    document: delegationDocument(marked),
  });
  const phase = / *"phase": .*\n/;
  const ca = /,\n *"ca": .*/;
  if (!phase.test(text) || !ca.test(text)) throw new Error('phase or ca stands elsewhere in the document');
  return text
    .replace(phase, (line) => `%{ if phase != null }${line}%{ endif }`)
    .replace(ca, (line) => `%{ if issuer.ca != "" }${line}%{ endif }`);
}

/** @param {object} value */
function jsonTemplate(value) {
  /** @type {string[]} */
  const found = [];
  const text = jsonOf(value, (_, each) => {
    const expression = values[JSON.stringify(each)];
    return expression === undefined ? each : `<${found.push(expression) - 1}>`;
  });
  const template = toTemplate(text, [
    [marked.issuer.name, '${issuer.name}'],
    [marked.name, '${name}'],
  ]);
  return template.replaceAll(/"<(\d+)>"/g, (_, at) => `\${jsonencode(${found[at]})}`);
}

/** @param {object} value @param {(key: string, value: unknown) => unknown} [replacer] */
function jsonOf(value, replacer) {
  return `${JSON.stringify(value, replacer, 2)}\n`;
}
