import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { type Entry, entryRef, parseEntryRef, parseSshPublicKey } from '../lib/attestation/index.ts';
import { tenantInName } from '../lib/grant/index.ts';
import { BROKER_ENVIRONMENT, openBroker } from './broker-client.ts';
import { parsed, print, printJson, readInput, wrongUsage } from './input.ts';

type Output = { readonly json?: true };

/** `signet entry`: registration, always with the caller's own Vault token. */
export function entryCommand(): Command {
  const entry = new Command('entry').description('register workloads, with your own Vault token');
  const add = (name: string, what: string) =>
    entry
      .command(name)
      .description(what)
      .option('--json', 'print one JSON object')
      .addHelpText('after', BROKER_ENVIRONMENT);
  describing(add('create', 'register an entry; the same call again completes one that was cut off')).action(
    create,
  );
  describing(add('update', 'change an entry to this one, whole; its state stays')).action(update);
  add('list', 'entries of a tenant and of those below it')
    .option('--tenant <name>', 'only this tenant')
    .action(list);
  for (const [name, what] of [
    ['show', 'one entry'],
    ['disable', 'refuse this entry from now on; Vault refuses too'],
    ['enable', 'take a disabled entry up again'],
    ['delete', 'delete the entry and its token role'],
  ] as const) {
    add(name, what).argument('<tenant/name>', 'such as acme/shop/orders').action(one(name));
  }
  add('join-code', 'a one-time code with which one machine takes up this entry')
    .argument('<tenant/name>', 'such as acme/shop/orders')
    .option('--ttl <seconds>', 'how long the code may wait to be used', '600')
    .action(joinCode);
  return entry;
}

/** The options that describe an entry. */
function describing(command: Command): Command {
  return command
    .option('-f, --file <file>', 'the entry as JSON, - for standard input')
    .option('--name <tenant/name>', 'its tenant and name, such as acme/shop/orders')
    .option('--spiffe-id <id>', 'the SPIFFE ID it gives')
    .option('--ttl <lifetime>', 'how long an SVID lives, such as 15m')
    .option('--selector <key=value...>', 'what the workload must show; again for more', collect, [])
    .option('--ssh-host-key <file>', "the host's public key (ssh_host_ed25519_key.pub), as its selector")
    .option('--network <cidr...>', 'where its SVIDs may be asked for from')
    .option('--appear-by <time>', 'when the machine must have shown up, such as 2026-12-24T18:00:00Z')
    .option('--appear-within <time>', 'likewise, from now on, such as 30m');
}

type CreateOptions = Output & {
  readonly file?: string;
  readonly name?: string;
  readonly spiffeId?: string;
  readonly ttl?: string;
  readonly selector: readonly string[];
  readonly sshHostKey?: string;
  readonly network?: readonly string[];
  readonly appearBy?: string;
  readonly appearWithin?: string;
};

async function create(options: CreateOptions, command: Command): Promise<void> {
  const entry = await given(options, command);
  using broker = openBroker(process.env);
  told(options, (await broker.call('POST', '/v1/entries', entry)) as Shown);
}

async function update(options: CreateOptions, command: Command): Promise<void> {
  const wanted = await given(options, command);
  // What `show --json` prints may be changed and sent back.
  const { state: _, appeared_at: __, ...entry } = wanted as Record<string, unknown>;
  const path = entryPath(`${entry['tenant']}/${entry['name']}`, command);
  using broker = openBroker(process.env);
  told(options, (await broker.call('PUT', path, entry)) as Shown);
}

async function given(options: CreateOptions, command: Command): Promise<object> {
  const { file, appearBy, appearWithin } = options;
  const entry = await (file === undefined ? described(options, command) : fromFile(file, command));
  const by = appearWithin === undefined ? appearBy : fromNow(appearWithin, command);
  return by === undefined ? entry : { ...entry, appear_by: by };
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

function fromNow(text: string, command: Command): string {
  const [, count, unit] = /^([1-9][0-9]{0,5})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined)
    return wrongUsage(command, '--appear-within: is a number with s, m, h or d, such as 30m');
  const ms = Number(count) * SECONDS[unit as keyof typeof SECONDS] * 1000;
  return new Date(Date.now() + ms).toISOString();
}

async function fromFile(file: string, command: Command): Promise<object> {
  const text = (await readInput(file, command)).toString();
  const entry = parsed(command, file, () => JSON.parse(text) as unknown);
  if (typeof entry !== 'object' || entry === null)
    return wrongUsage(command, `${file}: is not a JSON object`);
  return entry;
}

/** An entry from options. What is missing or wrong in it the broker names, field by field. */
async function described(options: CreateOptions, command: Command): Promise<object> {
  const { tenant, name } = reference(options.name ?? '', command);
  const match: Record<string, string> = {};
  for (const selector of options.selector) {
    const cut = selector.indexOf('=');
    if (cut < 1) wrongUsage(command, `--selector ${selector}: is not key=value`);
    match[selector.slice(0, cut)] = selector.slice(cut + 1);
  }
  if (options.sshHostKey !== undefined) {
    const line = await readFile(options.sshHostKey, 'utf8').catch(() =>
      wrongUsage(command, `--ssh-host-key: cannot read ${options.sshHostKey}`),
    );
    match['ssh-host:key'] = parsed(command, '--ssh-host-key', () => parseSshPublicKey(line)).fingerprint;
  }
  return {
    tenant,
    name,
    match,
    spiffe_id: options.spiffeId,
    ttl: options.ttl,
    ...(options.network === undefined ? {} : { networks: options.network }),
  };
}

async function list(options: Output & { readonly tenant?: string }): Promise<void> {
  using broker = openBroker(process.env);
  const query = options.tenant === undefined ? '' : `?tenant=${encodeURIComponent(options.tenant)}`;
  const answer = (await broker.call('GET', `/v1/entries${query}`)) as {
    entries: Entry[];
    unreadable: string[];
  };
  if (options.json) return printJson(answer);
  for (const entry of answer.entries) print(line(entry));
  for (const name of answer.unreadable) process.stderr.write(`signet: ${name} in Vault is not an entry\n`);
  if (answer.unreadable.length > 0) process.exitCode = 1;
}

function one(verb: 'show' | 'disable' | 'enable' | 'delete') {
  return async (text: string, options: Output, command: Command): Promise<void> => {
    const path = entryPath(text, command);
    using broker = openBroker(process.env);
    if (verb === 'delete') {
      await broker.call('DELETE', path);
      if (options.json) printJson({ deleted: text });
      else print(`deleted ${text}`);
      return;
    }
    const answer = verb === 'show' ? broker.call('GET', path) : broker.call('POST', `${path}/${verb}`, {});
    told(options, (await answer) as Shown);
  };
}

async function joinCode(
  text: string,
  options: Output & { readonly ttl: string },
  command: Command,
): Promise<void> {
  const seconds = Number(options.ttl);
  if (!Number.isSafeInteger(seconds)) wrongUsage(command, '--ttl: is not a number of seconds');
  const path = `${entryPath(text, command)}/join-code`;
  using broker = openBroker(process.env);
  const answer = (await broker.call('POST', path, { ttl_seconds: seconds })) as { code: string };
  if (options.json) printJson(answer);
  else print(answer.code);
}

/** What the broker answers. */
type Shown = Entry & { readonly appeared_at?: string | null };

function told({ json }: Output, entry: Shown): void {
  if (json) printJson(entry);
  else print(line(entry));
}

function line(entry: Shown): string {
  const match = Object.entries(entry.match).map(([key, value]) => `${key}=${value}`);
  const told = `${entryRef(entry)} ${entry.state} ${entry.spiffe_id} ${entry.ttl} ${match.join(' ')}`;
  return entry.appear_by === undefined ? told : `${told}, ${appearance(entry.appear_by, entry.appeared_at)}`;
}

/** A list says nothing of who has appeared. */
function appearance(by: string, at: string | null | undefined): string {
  if (at === undefined) return `to appear by ${by}`;
  return at === null ? `not appeared, has until ${by}` : `appeared ${at}`;
}

function entryPath(text: string, command: Command): string {
  const { tenant, name } = reference(text, command);
  return `/v1/entries/${tenantInName(tenant)}/${name}`;
}

function reference(text: string, command: Command): { tenant: string; name: string } {
  return (
    parseEntryRef(text) ??
    wrongUsage(command, `${JSON.stringify(text)} is not tenant/name, such as acme/shop/orders`)
  );
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}
