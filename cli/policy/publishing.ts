import type { Command } from 'commander';
import { callerOf } from '../../lib/adapter/caller.ts';
import { publish, published, rollback } from '../../lib/adapter/publishing/publish.ts';
import { textHash } from '../../lib/manifest/index.ts';
import { separateDocuments } from '../../lib/policy/index.ts';
import { openBroker } from '../broker-client.ts';
import { print, printJson, readInput, wrongUsage } from '../input.ts';
import { openVault } from '../vault-config.ts';
import { counted, parseSources, readSources } from './files.ts';

type Output = { readonly json?: true };
type PublishOptions = Output & {
  readonly above?: string;
  readonly ifChanged?: true;
  readonly dryRun?: true;
  readonly tokenStdin?: true;
};

export async function publishFiles(
  files: string[],
  options: PublishOptions,
  command: Command,
): Promise<void> {
  if (options.tokenStdin && files.includes('-'))
    wrongUsage(command, '--token-stdin: standard input holds the token, so no policies');
  const sources = await readSources(files, command);
  if ((await parseSources(sources, options)) === null) return;
  // each on a line of its own, with the named sets it needs
  const documents = separateDocuments(sources);
  const above = versionOf(options.above, '--above', command);
  const env = options.tokenStdin
    ? { ...process.env, VAULT_TOKEN: await firstLineOfInput(command) }
    : process.env;
  using session = openVault(env);
  const author = callerOf(session.vault, session.token);
  const before = await published(author);
  const changes = compare(
    hashesOf(before),
    new Map(documents.map((document) => [`${document.target} ${document.name}`, textHash(document.text)])),
  );
  const differs = changes.added + changes.changed + changes.removed > 0;
  const publishing = !options.dryRun && (differs || !options.ifChanged || before === undefined);
  const manifest = publishing
    ? await publish(author, documents, { now: new Date(), above })
    : before?.manifest;
  const { version = 0, previousVersion = 0 } = manifest ?? {};
  if (options.json)
    printJson({
      ...{ version, previous_version: previousVersion, documents: documents.length, ...changes },
      published: publishing,
    });
  else
    print(
      `${publishing ? `published version ${version}` : `published nothing, there is version ${version}`}: ${counted(documents.length, 'document')}, ${changes.added} new, ${changes.changed} changed, ${changes.removed} gone`,
    );
}

export async function goBack(
  text: string | undefined,
  options: PublishOptions,
  command: Command,
): Promise<void> {
  const version = text === undefined ? undefined : versionOf(text, 'version', command);
  const above = versionOf(options.above, '--above', command);
  using session = openVault(process.env);
  const author = callerOf(session.vault, session.token);
  const { manifest, from } = await rollback(author, version, { now: new Date(), above });
  const documents = manifest.documents.length;
  if (options.json) printJson({ version: manifest.version, from, documents });
  else
    print(`published version ${manifest.version}: the ${counted(documents, 'document')} of version ${from}`);
}

type Status = {
  readonly published: {
    readonly version: number;
    readonly author: string;
    readonly published_at: string;
    readonly targets: readonly { readonly target: string; readonly documents: readonly string[] }[];
  } | null;
  readonly denylist: {
    readonly version: number;
    readonly author: string;
    readonly published_at: string;
  } | null;
  readonly sidecars: readonly {
    readonly spiffe_id: string;
    readonly serial: string;
    readonly version: number | null;
    readonly denylist_version: number;
    readonly fault: string | null;
    readonly seen_at: string;
  }[];
};

export async function status(options: Output): Promise<void> {
  using broker = openBroker(process.env);
  const answer = (await broker.call('GET', '/v1/policies/status')) as Status;
  if (options.json) return printJson(answer);
  const { published: set, denylist, sidecars } = answer;
  print(
    set === null
      ? 'no policies are published'
      : `version ${set.version} by ${set.author} at ${set.published_at}`,
  );
  for (const { target, documents } of set?.targets ?? []) print(`  ${target}: ${documents.join(', ')}`);
  if (denylist !== null)
    print(`deny-list ${denylist.version} by ${denylist.author} at ${denylist.published_at}`);
  print(`${counted(sidecars.length, 'sidecar')} asked this broker in the last 90 s`);
  for (const each of sidecars) {
    const fault = each.fault === null ? '' : `, refused what came last: ${each.fault}`;
    print(
      `  ${each.spiffe_id} ${each.serial} runs ${each.version === null ? 'no policies' : each.version || 'nothing yet'}${fault}`,
    );
  }
}

async function firstLineOfInput(command: Command): Promise<string> {
  const [line = ''] = (await readInput('-', command)).toString().split('\n');
  return line.trim();
}

function hashesOf(set: Awaited<ReturnType<typeof published>>): Map<string, string> {
  return new Map(set?.manifest.documents.map(({ target, name, sha256 }) => [`${target} ${name}`, sha256]));
}

function compare(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>) {
  const known = [...after].filter(([key]) => before.has(key));
  return {
    added: after.size - known.length,
    changed: known.filter(([key, sha256]) => before.get(key) !== sha256).length,
    removed: before.size - known.length,
  };
}

function versionOf(text: string | undefined, what: string, command: Command): number {
  if (text === undefined) return 0;
  if (!/^[1-9]\d{0,14}$/.test(text)) wrongUsage(command, `${what}: is not a version`);
  return Number(text);
}
