import { Command } from 'commander';
import { BROKER_ENVIRONMENT, openBroker } from './broker-client.ts';
import { print, printJson } from './input.ts';

type Considered = {
  readonly entry: string;
  readonly state: string;
  readonly matched: boolean;
  readonly differs?: {
    readonly selector: string;
    readonly wanted: string;
    readonly found: readonly string[];
  };
};
type Explanation = {
  readonly outcome: string;
  readonly reason?: string;
  readonly method: string;
  readonly selectors?: Readonly<Record<string, readonly string[]>>;
  readonly considered: readonly Considered[];
};

/** `signet explain`: why an attestation ended as it did. */
export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'why a workload was given its identity, or refused: every entry considered and what differed',
    )
    .argument('<correlation-id>', "from the sidecar's or the broker's log")
    .option('--json', 'print one JSON object')
    .addHelpText('after', BROKER_ENVIRONMENT)
    .action(explain);
}

async function explain(id: string, options: { readonly json?: true }): Promise<void> {
  using broker = openBroker(process.env);
  const found = (await broker.call('GET', `/v1/explanations/${encodeURIComponent(id)}`)) as Explanation;
  if (options.json) return printJson(found);
  print(`${found.method}: ${found.outcome}${found.reason === undefined ? '' : ` (${found.reason})`}`);
  for (const [key, values] of Object.entries(found.selectors ?? {}))
    print(`  shown ${key} = ${values.join(', ')}`);
  for (const each of found.considered) print(`  ${judged(each)}`);
}

function judged({ entry, state, matched, differs }: Considered): string {
  if (matched) return `${entry} (${state}): matches`;
  const { selector = '', wanted = '', found = [] } = differs ?? {};
  return `${entry} (${state}): wants ${selector} = ${wanted}, shown ${found.join(', ') || 'nothing'}`;
}
