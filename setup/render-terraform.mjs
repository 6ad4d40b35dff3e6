// Renders into terraform/modules/vault what the layout (lib/vault-layout) says, so that it is said once: policies, roles, keys, configuration.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are Terraform's
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aclPolicies, everyResource, SEEDS } from '../lib/vault-layout/index.ts';
import { root } from './paths.mjs';

const room = join(root, 'terraform/modules/vault');

/** A layout of words and numbers that stand nowhere else: each is found again in what is made of it. @type {import('../lib/vault-layout/index.ts').Layout} */
export const marked = {
  trustDomain: 'trust-domain.marker',
  svidTtls: ['1111s', '2222s'],
  tenants: [{ name: 'tenant/marker', idPrefixes: ['prefix/marker/'] }],
  broker: { dns: ['dns.marker'], secretIdTtl: '3333s', networks: ['network-marker'] },
  root: 'vault',
  kubernetes: {
    mount: 'mount-marker',
    namespace: 'namespace-marker',
    serviceAccount: 'account-marker',
    audience: 'audience-marker',
  },
  publicUrl: 'url-marker',
};
const ACCESSOR = 'accessor-marker';

/** What stands in a marker's place, in strings. */
const words = /** @type {const} */ ([
  ['trust-domain.marker', 'var.trust_domain'],
  ['tenant.marker', 'replace(tenant.name, "/", ".")'],
  ['tenant/marker', 'tenant.name'],
  ['mount-marker', 'try(var.kubernetes.mount, "")'],
  ['namespace-marker', 'try(var.kubernetes.namespace, "")'],
  ['account-marker', 'try(var.kubernetes.service_account, "")'],
  ['audience-marker', 'try(var.kubernetes.audience, "")'],
  ['url-marker', 'local.public_url'],
  [ACCESSOR, 'data.vault_auth_backend.token.accessor'],
  ['signet-workload-1111s', '"signet-workload-${ttl}"'],
  ['1111s', 'ttl'],
]);

/** What stands in its place as a value that is no string, by its JSON. @type {Readonly<Record<string, string>>} */
const values = {
  1111: '${local.shortest_ttl}',
  2222: '${local.longest_ttl}',
  3333: '${local.secret_id_ttl}',
  '["network-marker"]': '${var.broker.networks}',
  '["dns.marker"]': '${var.broker.dns}',
};

/** Every file of the module that is rendered, by its path in it. @returns {Map<string, string>} */
export function renderTerraform() {
  return new Map([
    ...policyTemplates().map(([name, text]) => /** @type {const} */ ([`policies/${name}.hcl.tftpl`, text])),
    ['layout.tf.json', `${JSON.stringify(layoutFile(), null, 2)}\n`],
  ]);
}

/** @returns {[name: string, text: string][]} */
function policyTemplates() {
  const { kubernetes: _, ...bare } = marked;
  const without = new Map(aclPolicies(bare).map((p) => [p.name, p.text]));
  const nameless = new Map(
    aclPolicies({ ...bare, broker: { ...marked.broker, dns: [] } }).map((p) => [p.name, p.text]),
  );
  return aclPolicies(marked)
    .filter(({ name }) => name !== 'signet-workload-2222s')
    .map(({ name, text }) => {
      const other = without.get(name) ?? '';
      const template =
        text === other
          ? choose('length(dns) > 0', text, nameless.get(name) ?? '')
          : choose('kubernetes', text, other);
      return [name.replace('-tenant.marker', '').replace('-1111s', ''), toTemplate(template)];
    });
}

const IF = '\u0001';
const FI = '\u0002';

/** `text`, with the lines that `other` has not behind a condition. @param {string} condition @param {string} text @param {string} other */
function choose(condition, text, other) {
  const rest = other.split(/(?<=\n)/);
  let made = '';
  let open = false;
  for (const line of text.split(/(?<=\n)/)) {
    const common = line === rest[0];
    if (common === open) made += open ? `${IF}${FI}` : `${IF}${condition}${FI}`;
    open = !common;
    if (common) rest.shift();
    made += line;
  }
  if (rest.length > 0) throw new Error(`${condition} does more to a policy than add to it`);
  return made;
}

/** A policy's text of the marked layout, with expressions in place of the markers. @param {string} text */
export function toTemplate(text) {
  const each = (/** @type {string} */ list, /** @type {string} */ item) =>
    `[\${join(", ", [for item in ${list} : jsonencode(${item})])}]`;
  const lists = /** @type {const} */ ([
    ['["signet-workload-1111s", "signet-workload-2222s"]', each('ttls', '"signet-workload-${item}"')],
    ['["prefix/marker/*"]', each('tenant.id_prefixes', '"${item}*"')],
    ['["dns.marker"]', each('dns', 'item')],
    ['signet-workload-1111s', 'signet-workload-${ttl}'],
    ['1111s', '${ttl}'],
    ['trust-domain.marker', '${trust_domain}'],
    ['tenant.marker', '${replace(tenant.name, "/", ".")}'],
    ['tenant/marker', '${tenant.name}'],
    ['mount-marker', '${kubernetes_mount}'],
    ['name-marker', '${name}'],
    ['entries-marker-', '${entries}'],
  ]);
  let made = escaped(text);
  for (const [marker, expression] of lists) made = made.replaceAll(marker, () => expression);
  made = made.replaceAll(`${IF}${FI}`, '%{ endif }').replaceAll(IF, '%{ if ').replaceAll(FI, ' }');
  return unmarked(made);
}

function layoutFile() {
  const { publicUrl: _, ...silent } = marked;
  const quiet = new Map(resourcesOf(silent).map((resource) => [resource.id, resource]));
  const nameless = new Map(
    resourcesOf({ ...marked, broker: { ...marked.broker, dns: [] } }).map((resource) => [
      resource.id,
      resource,
    ]),
  );
  /** @type {Record<'engines' | 'auth_methods' | 'tunes' | 'addresses' | 'settings', Record<string, object>>} */
  const locals = { engines: {}, auth_methods: {}, tunes: {}, addresses: {}, settings: {} };
  for (const resource of resourcesOf(marked)) {
    const { id, path } = resource;
    const when = conditionOf(id);
    if (path.startsWith('sys/')) {
      const kind = path.startsWith('sys/mounts/') ? 'engines' : 'auth_methods';
      if (resource.write.create) locals[kind][id] = { when, ...mountOf(resource) };
      locals.tunes[id] = { when, path: `${path}/tune`, body: tuneOf(resource) };
      continue;
    }
    const at = /-(urls|cluster)$/.test(id) ? 'addresses' : 'settings';
    const [body, shorter, without] = [resource, quiet.get(id), nameless.get(id)].map((r) => r && bodyOf(r));
    const entries = Object.entries(/** @type {object} */ (body)).map(([name, value]) => {
      const one = name === 'token_bound_cidrs' ? '${local.token_networks}' : toValue(value);
      if (shorter && !same(shorter[name], value)) return [name, pick('local.public', one, shorter[name])];
      if (name !== 'allowed_domains' && without && !same(without[name], value))
        return [name, pick('length(var.broker.dns) > 0', one, without[name])];
      return [name, one];
    });
    locals[at][id] = { when, path: toWord(path), body: Object.fromEntries(entries) };
  }
  return {
    '//': 'Rendered from lib/vault-layout by setup/render-terraform.mjs.',
    locals: {
      ...locals,
      seeds: Object.fromEntries(SEEDS.map(({ path, data }) => [path, data])),
    },
  };
}

/** @typedef {ReturnType<typeof everyResource>[number]} Resource */

/** @param {Resource} resource */
function mountOf({ path, write }) {
  const { type, config, options = {} } = /** @type {any} */ (write.create?.body ?? {});
  const lease = config?.max_lease_ttl;
  const own = path.startsWith('sys/mounts/')
    ? { options, max_lease_ttl_seconds: lease === undefined ? null : Number.parseInt(lease, 10) }
    : {};
  return { path: path.split('/').at(-1), type, ...own };
}

/** What is not said where the engine is made. @param {Resource} resource */
function tuneOf({ settings }) {
  const elsewhere = ['type', 'version', 'max_lease_ttl'];
  return Object.fromEntries(
    settings.filter(({ name }) => !elsewhere.includes(name)).map(({ name, want }) => [name, want]),
  );
}

/** @param {typeof marked} layout */
function resourcesOf(layout) {
  return everyResource(layout, { tokenAccessor: ACCESSOR });
}

/** @param {Resource} resource @returns {Record<string, unknown>} */
function bodyOf({ settings, write }) {
  const told = Object.fromEntries(settings.map(({ name, want }) => [name, want]));
  return { ...told, ...write.create?.body };
}

/** @param {string} id */
function conditionOf(id) {
  if (/^(engine-signet-pki-root|pki-root-(urls|crl|acme))$/.test(id)) return '${local.root_in_vault}';
  if (id === 'pki-root-cluster') return '${local.public && local.root_in_vault}';
  if (id === 'pki-cluster') return '${local.public}';
  if (id === 'kubernetes-broker') return '${var.kubernetes != null}';
  return true;
}

/** @param {unknown} a @param {unknown} b */
function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** @param {string} condition @param {unknown} yes as it stands in the file @param {unknown} no */
function pick(condition, yes, no) {
  const list = (/** @type {unknown} */ value) =>
    Array.isArray(value) ? `tolist(${JSON.stringify(value)})` : JSON.stringify(value);
  return `\${${condition} ? ${list(yes)} : ${list(no)}}`;
}

/** @param {unknown} value @returns {unknown} */
function toValue(value) {
  const whole = values[JSON.stringify(value)];
  if (whole !== undefined) return whole;
  if (Array.isArray(value)) return value.map(toValue);
  return typeof value === 'string' ? toWord(value) : value;
}

/** @param {string} text */
function toWord(text) {
  let made = escaped(text);
  for (const [marker, expression] of words) made = made.replaceAll(marker, () => `\${${expression}}`);
  return unmarked(made);
}

/** As a template's plain text. @param {string} text */
function escaped(text) {
  return text.replaceAll('${', () => '$${').replaceAll('%{', '%%{');
}

/** @param {string} text */
function unmarked(text) {
  if (/marker|1111|2222|3333/.test(text)) throw new Error(`a marker is left in ${text}`);
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(join(room, 'policies'), { recursive: true, force: true });
  for (const [path, text] of renderTerraform()) {
    mkdirSync(dirname(join(room, path)), { recursive: true });
    writeFileSync(join(room, path), text);
  }
}
