import { createReadStream } from 'node:fs';
import { Command } from 'commander';
import { createVerifier, reportText, type Verifier, type VerifyOptions } from '../lib/audit/index.ts';
import { parseSpiffeId } from '../lib/spiffe/index.ts';
import { findCommand, showCommand } from './audit-find.ts';
import { readBundleFile } from './bundle-file.ts';
import { parsed, print, printJson, readInput, wrongUsage } from './input.ts';

const HASH = /^[0-9a-f]{64}$/;

/** `signet audit`: works offline, on files. */
export function auditCommand(): Command {
  const audit = new Command('audit').description('verify and read audit logs');
  audit
    .command('verify')
    .description('find edited, dropped, moved, doubled or cut-off records; exit status 1 if there are any')
    .argument('<file>', 'the audit log, - for standard input')
    .option(
      '--bundle <file>',
      'who is trusted to have signed: SPIFFE bundle or PEM; without it any certificate will do',
    )
    .option('--trust-domain <name>', 'the trust domain of the bundle, if its authorities do not name it')
    .option('--expect-id <id>', 'the SPIFFE ID of the workload whose log it is')
    .option(
      '--expect-head <hash>',
      'the head that an earlier verification printed: it must still be in the file',
    )
    .option('--json', 'print the report as one JSON object')
    .action(verify);
  audit.addCommand(findCommand()).addCommand(showCommand());
  return audit;
}

type Options = {
  readonly bundle?: string;
  readonly trustDomain?: string;
  readonly expectId?: string;
  readonly expectHead?: string;
  readonly json?: true;
};

async function verify(file: string, options: Options, command: Command): Promise<void> {
  const verifier = createVerifier(await verifyOptions(options, command));
  await pour(file, verifier, command);
  const report = verifier.end();
  if (options.json) printJson(report);
  else print(`${file}: ${reportText(report)}${report.head === null ? '' : `, head ${report.head}`}`);
  if (!report.ok) process.exitCode = 1;
}

async function verifyOptions(options: Options, command: Command): Promise<VerifyOptions> {
  const { bundle, trustDomain, expectId, expectHead } = options;
  if (expectHead !== undefined && !HASH.test(expectHead))
    wrongUsage(command, '--expect-head: not a hex SHA-256');
  const text = bundle === undefined ? null : (await readInput(bundle, command)).toString();
  return {
    bundle: text === null ? null : parsed(command, '--bundle', () => readBundleFile(text, trustDomain)),
    ...(expectId === undefined
      ? {}
      : { expectId: parsed(command, '--expect-id', () => parseSpiffeId(expectId)) }),
    ...(expectHead === undefined ? {} : { expectHead }),
  };
}

async function pour(file: string, verifier: Verifier, command: Command): Promise<void> {
  try {
    for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) verifier.push(chunk);
  } catch (error) {
    wrongUsage(command, `cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
