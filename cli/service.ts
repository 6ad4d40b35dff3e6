import { Command } from 'commander';
import { parseEntryRef, parseTenant } from '../lib/attestation/index.ts';
import { tenantInName } from '../lib/grant/index.ts';
import { BROKER_ENVIRONMENT, openBroker } from './broker-client.ts';
import { parsed, print, printJson, readInput, wrongUsage } from './input.ts';

type Output = { readonly json?: true };

type Service = {
  readonly tenant: string;
  readonly name: string;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly spiffe_ids: readonly string[];
};

/** `signet service`: what sidecars are told of services that no cluster tells of, always with the caller's own Vault token. */
export function serviceCommand(): Command {
  const service = new Command('service').description('register services by name, with your own Vault token');
  const add = (name: string, what: string) =>
    service
      .command(name)
      .description(what)
      .option('--json', 'print one JSON object')
      .addHelpText('after', BROKER_ENVIRONMENT);
  add('put', 'register a service, or put it in the place of the one that is there')
    .argument('[tenant/name]', 'such as acme/shop/orders; or in the file')
    .option('-f, --file <file>', 'the service as JSON, - for standard input')
    .option('--host <name>', 'what apps ask for, such as orders.internal')
    .option('--address <ip:port...>', 'where its sidecars listen')
    .option('--id <spiffe-id...>', 'who may answer there')
    .action(put);
  add('list', 'services of a tenant and of those below it')
    .requiredOption('--tenant <name>', 'such as acme/shop')
    .action(list);
  add('show', 'one service').argument('<tenant/name>', 'such as acme/shop/orders').action(show);
  add('delete', 'delete a service').argument('<tenant/name>', 'such as acme/shop/orders').action(remove);
  return service;
}

type PutOptions = Output & {
  readonly file?: string;
  readonly host?: string;
  readonly address?: readonly string[];
  readonly id?: readonly string[];
};

async function put(text: string | undefined, options: PutOptions, command: Command): Promise<void> {
  const body = options.file === undefined ? {} : await fromFile(options.file, command);
  const { tenant, name } = body as { tenant?: unknown; name?: unknown };
  const path = servicePath(text ?? `${tenant}/${name}`, command);
  const { host, address, id } = options;
  const service = {
    ...body,
    ...(host === undefined ? {} : { host }),
    ...(address === undefined ? {} : { addresses: address }),
    ...(id === undefined ? {} : { spiffe_ids: id }),
  };
  using broker = openBroker(process.env);
  told(options, (await broker.call('PUT', path, service)) as Service);
}

async function fromFile(file: string, command: Command): Promise<object> {
  const text = (await readInput(file, command)).toString();
  const service = parsed(command, file, () => JSON.parse(text) as unknown);
  if (typeof service !== 'object' || service === null)
    return wrongUsage(command, `${file}: is not a JSON object`);
  return service;
}

async function list(options: Output & { readonly tenant: string }, command: Command): Promise<void> {
  if (parseTenant(options.tenant) === undefined) wrongUsage(command, '--tenant: is not a tenant');
  using broker = openBroker(process.env);
  const answer = (await broker.call('GET', `/v1/services/${tenantInName(options.tenant)}`)) as {
    services: Service[];
    unreadable: string[];
  };
  if (options.json) return printJson(answer);
  for (const service of answer.services) print(line(service));
  for (const name of answer.unreadable) process.stderr.write(`signet: ${name} in Vault is not a service\n`);
  if (answer.unreadable.length > 0) process.exitCode = 1;
}

async function show(text: string, options: Output, command: Command): Promise<void> {
  const path = servicePath(text, command);
  using broker = openBroker(process.env);
  told(options, (await broker.call('GET', path)) as Service);
}

async function remove(text: string, options: Output, command: Command): Promise<void> {
  const path = servicePath(text, command);
  using broker = openBroker(process.env);
  await broker.call('DELETE', path);
  if (options.json) printJson({ deleted: text });
  else print(`deleted ${text}`);
}

function told({ json }: Output, service: Service): void {
  if (json) printJson(service);
  else print(line(service));
}

function line({ tenant, name, host, addresses, spiffe_ids }: Service): string {
  return `${tenant}/${name} ${host} ${addresses.join(',') || 'nowhere'} ${spiffe_ids.join(',')}`;
}

function servicePath(text: string, command: Command): string {
  const { tenant, name } =
    parseEntryRef(text) ??
    wrongUsage(command, `${JSON.stringify(text)} is not tenant/name, such as acme/shop/orders`);
  return `/v1/services/${tenantInName(tenant)}/${name}`;
}
