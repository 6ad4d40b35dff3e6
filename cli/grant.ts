import { Command } from 'commander';
import { SettingError } from '../sidecar/config/values.ts';
import { BROKER_ENVIRONMENT, brokerSettings } from './broker-client.ts';
import { redeemGrant, requestGrant } from './grant-steps.ts';
import { parsed, print, printJson, readInput, wrongUsage } from './input.ts';

/** `signet grant`: the steps of a sidecar by hand, to see which of them fails. */
export function grantCommand(): Command {
  const grant = new Command('grant').description("a sidecar's steps by hand: ask for a grant, redeem one");
  grant
    .command('request')
    .description(
      'prove who this machine is and print the grant it gets: whoever reads it can take the identity, once',
    )
    .requiredOption('--attest <method:input>', 'such as ssh-host:/etc/ssh/ssh_host_ed25519_key')
    .option('--json', 'print one JSON object, for signet grant redeem')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(request);
  grant
    .command('redeem')
    .description(
      'look a grant up, unwrap it and have Vault sign an SVID, which is shown and thrown away; exit status 1 and an alarm if it was spent',
    )
    .requiredOption('-f, --file <file>', 'what signet grant request --json printed, - for standard input')
    .option('--json', 'print one JSON object')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(redeem);
  return grant;
}

type Output = { readonly json?: true };

async function request(
  { attest, json }: Output & { readonly attest: string },
  command: Command,
): Promise<void> {
  const held = await requestGrant(brokerSettings(process.env), attest).catch((error: unknown) => {
    if (error instanceof SettingError) return wrongUsage(command, `--attest: ${error.message}`);
    throw error;
  });
  if (json) return printJson(held);
  const { creation_path, expires_at } = held.grant;
  print(`${held['spiffe_id']} by ${creation_path}, until ${expires_at}`);
}

async function redeem({ file, json }: Output & { readonly file: string }, command: Command): Promise<void> {
  const text = (await readInput(file, command)).toString();
  const held = parsed(command, file, () => JSON.parse(text) as unknown);
  const svid = await redeemGrant(brokerSettings(process.env), held, process.env);
  if (json) return printJson(svid);
  print(`${svid.spiffe_id} serial ${svid.serial} until ${svid.not_after}`);
}
