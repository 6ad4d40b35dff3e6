import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { BROKER_ENVIRONMENT, openBroker } from './broker-client.ts';
import { readBundleFile } from './bundle-file.ts';
import { print, printJson, readInput } from './input.ts';
import { describe } from './svid.ts';

/** `signet bundle`: fetches trust bundles, and looks at them offline. */
export function bundleCommand(): Command {
  const bundle = new Command('bundle').description('fetch and look at SPIFFE trust bundles');
  bundle
    .command('inspect')
    .description(
      'show the authorities of a SPIFFE bundle (JSON) or of PEM; exit status 1 if it cannot be used',
    )
    .argument('<file>', 'the bundle, - for standard input')
    .option('--trust-domain <name>', 'the trust domain, if the authorities do not name it')
    .option('--json', 'print one JSON object')
    .action(inspect);
  bundle
    .command('fetch')
    .description("the trust domain's bundle, from the broker")
    .option('--out <file>', 'write it to this file')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(fetchBundle);
  return bundle;
}

async function fetchBundle({ out }: { readonly out?: string }): Promise<void> {
  using broker = openBroker(process.env);
  const fetched = await broker.call('GET', '/v1/bundle');
  if (out === undefined) printJson(fetched);
  else await writeFile(out, `${JSON.stringify(fetched, null, 2)}\n`);
}

type Options = { readonly trustDomain?: string; readonly json?: true };

async function inspect(file: string, options: Options, command: Command): Promise<void> {
  const bundle = readBundleFile((await readInput(file, command)).toString(), options.trustDomain);
  const authorities = bundle.authorities.map(describe);
  const { trustDomain, sequence, refreshHintSeconds } = bundle;
  if (options.json) {
    printJson({ trust_domain: trustDomain, sequence, refresh_hint: refreshHintSeconds, authorities });
    return;
  }
  const hint = refreshHintSeconds === null ? '' : `, refresh every ${refreshHintSeconds} s`;
  print(`${trustDomain}, sequence ${sequence}${hint}`);
  for (const { subject, serial, not_after } of authorities)
    print(`  ${subject}, serial ${serial}, until ${not_after}`);
}
