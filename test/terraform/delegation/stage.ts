import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostEntry, openSite, type Site, type TestBroker } from '../../broker/site.ts';
import { signet } from '../../cli/signet.ts';
import type { Reply } from '../../support/attest-client.ts';
import { type Claims, RUN, RunIssuer } from '../../support/run-issuer.ts';
import { openWorkspace, type Workspace } from '../workspace.ts';

export const PLAIN = ['-input=false', '-no-color'];
export const APPLY = ['apply', '-auto-approve', ...PLAIN];
export const DESTROY = ['destroy', '-auto-approve', ...PLAIN];

/** The delegation of the runs that the issuer's tokens are of. */
export const SHOP = {
  terraform: {
    organization: RUN.terraform_organization_id,
    project: RUN.terraform_project_id,
    workspace: RUN.terraform_workspace_id,
  },
  tenant: 'acme/shop',
  id_prefixes: ['ns/shop/web/'],
  entries: 'web-',
  networks: ['127.0.0.0/8'],
};

/** What the provider needs beside `signet-admin`: it works with a token of its own. */
const CHILD_TOKEN = 'path "auth/token/create" { capabilities = ["update"] }';

export type More = { readonly issuer?: object; readonly import?: readonly object[] };

/** A real Vault with its layout, a real broker, an issuer of runs' tokens, and a workspace that calls the module `delegation`. */
export interface Stage extends AsyncDisposable {
  readonly site: Site;
  readonly workspace: Workspace;
  write(delegations: object, more?: More): Promise<void>;
  apply(delegations: object, more?: More): Promise<void>;
  /** What doctor finds. */
  findings(): Promise<readonly { readonly id: string }[]>;
  /** Brings Vault's layout to this one, by `signet vault apply`. */
  lay(layout: object): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  delegate(...args: string[]): Promise<any>;
  /** What `signet delegate` would still write of such a delegation. */
  missing(kind: string, name: string, ...args: string[]): Promise<readonly string[]>;
  /** Likewise of SHOP. */
  missingOfShop(): Promise<readonly string[]>;
  token(claims?: Claims): Promise<string>;
  /** Shows the broker a token; without one, a new one of the apply phase. */
  redeem(token?: string): Promise<Reply>;
  /** The answer's status and code. */
  register(token: string, name: string, path: string): Promise<string>;
  /** The status of a read in Vault. */
  status(path: string): Promise<number>;
}

export async function openStage(): Promise<Stage> {
  const [site, issuer] = await Promise.all([openSite(), RunIssuer.start()]);
  await site.vault.request('POST', 'sys/policies/acl/child-token', { policy: CHILD_TOKEN });
  const rootToken = await site.tokenOf('signet-admin', 'child-token');
  const broker: TestBroker = await site.startBroker();
  const workspace = await openWorkspace({ address: site.vault.address, rootToken });
  const env = { VAULT_ADDR: site.vault.address, VAULT_TOKEN: site.vault.rootToken };
  const where = ['--issuer', issuer.url, '--jwks-url', issuer.jwksUrl];
  const stage: Stage = {
    site,
    workspace,
    async write(delegations, more = {}) {
      const url = { url: issuer.url, jwks_url: issuer.jwksUrl };
      const runs = { source: './modules/delegation', issuer: { ...url, ...more.issuer }, delegations };
      const output = (name: string) => [name, { value: `\${module.runs.${name}}` }];
      const configuration = {
        module: { runs },
        output: Object.fromEntries(['names', 'delegations', 'environment'].map(output)),
        ...(more.import === undefined ? {} : { import: more.import }),
      };
      await writeFile(join(workspace.dir, 'main.tf.json'), JSON.stringify(configuration));
    },
    async apply(delegations, more) {
      await stage.write(delegations, more);
      await workspace.ok('init', ...PLAIN);
      await workspace.ok(...APPLY);
    },
    findings: async () => JSON.parse((await signet(['vault', 'doctor', '--json'], { env })).stdout).findings,
    async lay(layout) {
      const file = join(workspace.dir, 'layout.json');
      await writeFile(file, JSON.stringify(layout));
      const { status, stderr } = await signet(['vault', 'apply', '--config', file], { env });
      assert.equal(status, 0, stderr);
    },
    async delegate(...args) {
      const { status, stdout, stderr } = await signet(['delegate', ...args, '--json'], { env });
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout);
    },
    missing: async (kind, name, ...args) => (await stage.delegate(kind, name, ...where, ...args)).changes,
    missingOfShop: () =>
      stage.missing(
        ...(['terraform', 'shop-prod', '--organization', SHOP.terraform.organization] as const),
        ...['--project', SHOP.terraform.project, '--workspace', SHOP.terraform.workspace],
        ...['--tenant', 'acme/shop', '--prefix', 'ns/shop/web/', '--entries', 'web-'],
        ...['--network', '127.0.0.0/8'],
      ),
    token: (claims) => issuer.token(claims),
    redeem: async (token) =>
      broker.call('POST', '/v1/delegations/shop-prod', { token: token ?? (await issuer.token()) }),
    async register(token, name, path) {
      const match = { 'join:entry': `acme/shop/${name}` };
      const entry = hostEntry(name, match, { spiffe_id: `spiffe://example.org/${path}` });
      const { status, body } = await broker.call('POST', '/v1/entries', entry, token);
      return `${status} ${body?.code ?? ''}`.trim();
    },
    status: async (path) => (await site.vault.request('GET', path)).status,
    async [Symbol.asyncDispose]() {
      await workspace[Symbol.asyncDispose]();
      await site[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
    },
  };
  return stage;
}
