import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { withToken } from '../lib/adapter/vault.ts';
import { SignetError } from '../lib/errors.ts';
import {
  applyDelegation,
  brokerNetworks,
  type Delegation,
  delegationDocument,
  isDelegationName,
  listDelegations,
  parseDelegation,
  readDelegation,
  removeDelegation,
  TERRAFORM_IDS,
  TERRAFORM_PHASE,
} from '../lib/vault-layout/delegations/index.ts';
import type { VaultPort } from '../lib/vault-layout/index.ts';
import { print, printJson, wrongUsage } from './input.ts';
import { openVault, VAULT_ENVIRONMENT } from './vault-config.ts';

type Output = { readonly json?: true };

const HCP = 'https://app.terraform.io';

/** `signet delegate`: which runs may register what, with an administrator's own Vault token. */
export function delegateCommand(): Command {
  const delegate = new Command('delegate').description(
    'let runs of Terraform, of a CI or of Ansible register workloads, with your own Vault token',
  );
  const add = (name: string, what: string) =>
    delegate
      .command(name)
      .description(what)
      .option('--json', 'print one JSON object')
      .addHelpText('after', VAULT_ENVIRONMENT);
  const shared = (command: Command) =>
    command
      .argument('<name>', 'how the run names this delegation, such as shop-prod')
      .requiredOption('--tenant <tenant>', 'whose workloads it may register, such as acme/shop')
      .requiredOption(
        '--prefix <prefix>',
        'of the SPIFFE ID paths, such as ns/shop/; again for more',
        collect,
        [],
      )
      .option(
        '--entries <start>',
        'how the names of its entries and services begin, such as web-; without it, any of the tenant',
        '',
      )
      .option('--audience <audience>', 'for whom the tokens are', 'signet')
      .option(
        '--network <cidr>',
        "the brokers' addresses, as Vault sees them; without it, those of the layout",
        collect,
        [],
      )
      .option('--ttl <lifetime>', 'how long the right to register lasts', '30m');
  shared(add('terraform', 'runs of one workspace of HCP Terraform; again, it changes nothing'))
    .requiredOption('--organization <id>', 'the id of the organisation: org-…')
    .requiredOption('--project <id>', 'the id of the project: prj-…')
    .requiredOption('--workspace <id>', 'the id of the workspace: ws-…')
    .option('--issuer <url>', 'as the tokens name it', HCP)
    .option('--issuer-name <name>', "names the auth method in Vault that has the issuer's keys", 'hcp')
    .option('--jwks-url <url>', "where the issuer's keys are; without it, at the issuer's /.well-known/jwks")
    .option('--issuer-ca <file>', "authorities of where they are (PEM); without it, the system's")
    .action(terraform);
  const claiming = (command: Command) =>
    shared(command)
      .requiredOption('--claim <name=value>', 'what its tokens must say; again for more', collect, [])
      .requiredOption('--issuer <url>', 'as the tokens name it')
      .requiredOption('--issuer-name <name>', "names the auth method in Vault that has the issuer's keys")
      .requiredOption('--jwks-url <url>', "where the issuer's keys are")
      .option('--issuer-ca <file>', "authorities of where they are (PEM); without it, the system's");
  claiming(add('ci', 'runs of another issuer that says what they are; again, it changes nothing')).action(ci);
  claiming(
    add('ansible', 'jobs of a controller of Ansible, with its OIDC tokens; again, it changes nothing'),
  ).action(ansible);
  add('list', 'every delegation').action(list);
  add('show', 'one delegation').argument('<name>', 'such as shop-prod').action(show);
  add('delete', 'let these runs register no more; what they registered stays')
    .argument('<name>', 'such as shop-prod')
    .action(remove);
  return delegate;
}

type Shared = Output & {
  readonly tenant: string;
  readonly prefix: readonly string[];
  readonly entries: string;
  readonly audience: string;
  readonly network: readonly string[];
  readonly ttl: string;
  readonly issuer: string;
  readonly issuerName: string;
  readonly jwksUrl?: string;
  readonly issuerCa?: string;
};

async function terraform(
  name: string,
  options: Shared & { readonly organization: string; readonly project: string; readonly workspace: string },
  command: Command,
): Promise<void> {
  const ids = [options.organization, options.project, options.workspace];
  const claims = Object.fromEntries(TERRAFORM_IDS.map((claim, i) => [claim, ids[i]]));
  await apply(name, { claims, phase: TERRAFORM_PHASE }, options, command);
}

async function ci(
  name: string,
  options: Shared & { readonly claim: readonly string[] },
  command: Command,
): Promise<void> {
  const claims = Object.fromEntries(
    options.claim.map((text) => {
      const cut = text.indexOf('=');
      if (cut < 1) wrongUsage(command, `--claim ${text}: is not name=value`);
      return [text.slice(0, cut), text.slice(cut + 1)];
    }),
  );
  await apply(name, { claims }, options, command);
}

/** A controller runs whatever its playbooks say: it is never let at all of a tenant. */
async function ansible(
  name: string,
  options: Shared & { readonly claim: readonly string[] },
  command: Command,
): Promise<void> {
  if (options.entries === '')
    wrongUsage(command, '--entries: is missing: how the names of the hosts begin that it may register');
  await ci(name, options, command);
}

async function apply(name: string, what: object, options: Shared, command: Command): Promise<void> {
  const { issuer, issuerName, issuerCa, jwksUrl = `${issuer.replace(/\/$/, '')}/.well-known/jwks` } = options;
  const ca = issuerCa === undefined ? {} : { ca: fileIn(issuerCa, command) };
  const { changes, delegation } = await inVault(async (vault) => {
    const networks = options.network.length > 0 ? options.network : await brokerNetworks(vault);
    const delegation = parseDelegation({
      ...{ name, ...what, tenant: options.tenant, id_prefixes: options.prefix, entries: options.entries },
      ...{ audience: options.audience, networks, ttl: options.ttl },
      issuer: { name: issuerName, url: issuer, jwks_url: jwksUrl, ...ca },
    });
    return { ...(await applyDelegation(vault, delegation)), delegation };
  });
  if (options.json) return printJson({ changes, delegation: delegationDocument(delegation) });
  for (const path of changes) print(`wrote ${path}`);
  if (changes.length === 0) print('no changes');
}

async function list({ json }: Output): Promise<void> {
  const found = await inVault(async (vault) => {
    const names = await listDelegations(vault);
    return Promise.all(names.map(async (name) => readDelegation(vault, name)));
  });
  const there = found.filter((each) => each !== undefined);
  if (json) return printJson({ delegations: there.map(delegationDocument) });
  for (const each of there) print(line(each));
}

async function show(name: string, { json }: Output, command: Command): Promise<void> {
  checkName(name, command);
  const delegation = await inVault((vault) => readDelegation(vault, name));
  if (delegation === undefined)
    throw new SignetError('DELEGATION_NOT_FOUND', `there is no delegation ${name}`);
  if (json) printJson(delegationDocument(delegation));
  else print(line(delegation));
}

async function remove(name: string, { json }: Output, command: Command): Promise<void> {
  checkName(name, command);
  const deleted = await inVault((vault) => removeDelegation(vault, name));
  if (json) printJson({ deleted: deleted ? name : null });
  else print(deleted ? `deleted ${name}` : `there is no delegation ${name}`);
}

function line({ name, tenant, idPrefixes, entries, issuer, claims }: Delegation): string {
  const said = Object.entries(claims).map(([claim, value]) => `${claim}=${value}`);
  return `${name} ${tenant}/${entries}* ${idPrefixes.join(',')} ${issuer.url} ${said.join(' ')}`;
}

function checkName(name: string, command: Command): void {
  if (!isDelegationName(name)) wrongUsage(command, `${JSON.stringify(name)} is not the name of a delegation`);
}

function fileIn(path: string, command: Command): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return wrongUsage(command, `--issuer-ca: cannot read ${path}`);
  }
}

async function inVault<T>(work: (vault: VaultPort) => Promise<T>): Promise<T> {
  using session = openVault(process.env);
  return await work(withToken(session.vault, session.token));
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}
