import { Command } from 'commander';
import { readBundleFile } from './bundle-file.ts';
import { print, printJson, readInput } from './input.ts';
import { describe } from './svid.ts';

/** `signet bundle`: looks at trust bundles, offline. */
export function bundleCommand(): Command {
  const bundle = new Command('bundle').description('look at SPIFFE trust bundles');
  bundle
    .command('inspect')
    .description(
      'show the authorities of a SPIFFE bundle (JSON) or of PEM; exit status 1 if it cannot be used',
    )
    .argument('<file>', 'the bundle, - for standard input')
    .option('--trust-domain <name>', 'the trust domain, if the authorities do not name it')
    .option('--json', 'print one JSON object')
    .action(inspect);
  return bundle;
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
