import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { type AuditKeysDocument, mergeAuditKeys, readAuditKeys } from './audit-keys-file.ts';
import { BROKER_ENVIRONMENT, openBroker } from './broker-client.ts';
import { print, printJson } from './input.ts';

/** `signet audit keys`: the public keys that audits are verified with. */
export function keysCommand(): Command {
  const keys = new Command('keys').description('the public keys that audits are verified with');
  keys
    .command('export')
    .description(
      'get them from the broker: the authorities of SVIDs, and the versions of the countersigning key',
    )
    .option('--out <file>', 'write them to this file; keys that only the file has stay in it')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(exportKeys);
  return keys;
}

async function exportKeys({ out }: { readonly out?: string }): Promise<void> {
  using broker = openBroker(process.env);
  const fetched = (await broker.call('GET', '/v1/audit/keys')) as AuditKeysDocument;
  const { bundle } = readAuditKeys(JSON.stringify(fetched));
  if (out === undefined) return printJson(fetched);
  const held = await readFile(out, 'utf8').catch(() => null);
  if (held !== null) readAuditKeys(held);
  const document = held === null ? fetched : mergeAuditKeys(JSON.parse(held) as AuditKeysDocument, fetched);
  if (document.trust_domain !== bundle.trustDomain || (held !== null && otherDomain(held, document)))
    throw new Error(`${out} holds the keys of another trust domain`);
  await writeFile(out, `${JSON.stringify(document, null, 2)}\n`);
  const authorities = (document.bundle as { keys: unknown[] }).keys.length;
  print(`${authorities} authorities, ${Object.keys(document.countersigning).length} countersigning keys`);
}

function otherDomain(held: string, document: AuditKeysDocument): boolean {
  return (JSON.parse(held) as AuditKeysDocument).trust_domain !== document.trust_domain;
}
