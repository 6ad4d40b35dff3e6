import { Command } from 'commander';
import { callerOf } from '../lib/adapter/caller.ts';
import { changeDenylist, type Denied } from '../lib/adapter/publishing/deny.ts';
import { readDenylist } from '../lib/adapter/publishing/denylist.ts';
import { isReserved, parseSpiffeId } from '../lib/spiffe/index.ts';
import { parsed, print, printJson, wrongUsage } from './input.ts';
import { openVault, VAULT_ENVIRONMENT } from './vault-config.ts';

type Output = { readonly json?: true };

const SERIAL = /^([0-9a-fA-F]{2}[:-]?){1,20}$/;

/** `signet deny`: takes identities away, at every broker and sidecar within seconds. */
export function denyCommand(): Command {
  const deny = new Command('deny').description(
    'deny SPIFFE IDs and certificates everywhere, with your own Vault token',
  );
  const add = (name: string, what: string) =>
    deny
      .command(name)
      .description(what)
      .option('--json', 'print one JSON object')
      .addHelpText('after', VAULT_ENVIRONMENT);
  const which = "SPIFFE IDs, or certificates' serials as Vault and sidecars print them";
  add('add', 'deny: no SVID any more, no call passes, and connections that stand are cut')
    .argument('<id-or-serial...>', which)
    .action(changing((there, given) => [...there, ...given]));
  add('remove', 'deny no more')
    .argument('<id-or-serial...>', which)
    .action(changing((there, given) => there.filter((each) => !given.includes(each))));
  add('list', 'what is denied').action(list);
  return deny;
}

function changing(change: (there: readonly string[], given: readonly string[]) => string[]) {
  return async (given: string[], options: Output, command: Command): Promise<void> => {
    const named = sorted(given, command);
    using session = openVault(process.env);
    const { ids, serials, version } = await changeDenylist(
      callerOf(session.vault, session.token),
      (there) => ({ ids: change(there.ids, named.ids), serials: change(there.serials, named.serials) }),
      new Date(),
    );
    if (options.json) printJson({ version, ids, serials });
    else print(`deny-list ${version}: ${ids.length} SPIFFE IDs, ${serials.length} serials`);
  };
}

async function list(options: Output): Promise<void> {
  using session = openVault(process.env);
  const { ids, serials, signed } = await readDenylist(callerOf(session.vault, session.token));
  const version = signed?.version ?? null;
  if (options.json) return printJson({ version, ids: [...ids], serials: [...serials] });
  for (const each of [...ids, ...serials]) print(each);
  if (signed === undefined && ids.size + serials.size > 0)
    process.stderr.write('signet: the list was written by hand: brokers go by it, sidecars do not know it\n');
}

function sorted(given: readonly string[], command: Command): Denied {
  const isId = (text: string) => text.startsWith('spiffe://');
  const ids = given.filter(isId).map((text) => parsed(command, text, () => parseSpiffeId(text)));
  for (const id of ids) if (isReserved(id)) wrongUsage(command, `${id}: is Signet's own`);
  const serials = given.filter((text) => !isId(text));
  for (const text of serials)
    if (!SERIAL.test(text))
      wrongUsage(command, `${JSON.stringify(text)} is neither a SPIFFE ID nor a serial`);
  return {
    ids: ids.map(String),
    serials: serials.map((text) =>
      text
        .toLowerCase()
        .replace(/[:-]/g, '')
        .replace(/..(?=.)/g, '$&:'),
    ),
  };
}
