import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Command } from 'commander';
import {
  type AuditReport,
  createVerifier,
  findingText,
  HEAD_BYTES,
  headOf,
  LineSplitter,
  orderFiles,
  reportText,
  type Verifier,
  type VerifyOptions,
} from '../lib/audit/index.ts';
import { parseSpiffeId } from '../lib/spiffe/index.ts';
import { readAuditKeys } from './audit-keys-file.ts';
import { auditFiles, COUNTERSIGNED, contentOf } from './audit-records.ts';
import { readBundleFile } from './bundle-file.ts';
import { parsed, print, printJson, readInput, wrongUsage } from './input.ts';

const HASH = /^[0-9a-f]{64}$/;
const MAX_SHOWN = 20;

/** `signet audit verify`: works offline, on files. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('find edited, dropped, moved, doubled or cut-off records; exit status 1 if there are any')
    .argument('<file...>', 'audit logs, in any order, and folders of them; - for standard input')
    .option('--keys <file>', 'who is trusted to have signed and countersigned: from signet audit keys export')
    .option(
      '--bundle <file>',
      'who is trusted to have signed: SPIFFE bundle or PEM; without it any certificate will do',
    )
    .option('--trust-domain <name>', 'the trust domain of the bundle, if its authorities do not name it')
    .option('--expect-id <id>', 'the SPIFFE ID of the workload whose log it is')
    .option(
      '--head, --expect-head <hash>',
      'the head that an earlier verification printed: it must still be there',
    )
    .option('--after <hash>', 'a head up to which the log was verified earlier: it may begin right after it')
    .option('--complete', 'nothing may be missing, not even what the log itself says it did not send')
    .option('--json', 'print the report as one JSON object')
    .action(verify);
}

type Options = {
  readonly keys?: string;
  readonly bundle?: string;
  readonly trustDomain?: string;
  readonly expectId?: string;
  readonly expectHead?: string;
  readonly after?: string;
  readonly complete?: true;
  readonly json?: true;
};

async function verify(paths: string[], options: Options, command: Command): Promise<void> {
  const verifier = createVerifier(await verifyOptions(options, command));
  const files = await pourAll(paths, verifier, command);
  const report = verifier.end();
  if (options.json) printJson(report);
  else tell(report, paths, files);
  if (!report.ok) process.exitCode = 1;
}

function tell(report: AuditReport, paths: readonly string[], files: number): void {
  const head = report.head === null || report.logs.length > 1 ? '' : `, head ${report.head}`;
  const one = files <= 1 && paths.length === 1;
  const findings = one ? report.findings.map((finding) => ({ ...finding, file: null })) : report.findings;
  const where = one ? paths[0] : `${files} files`;
  print(`${where}: ${reportText({ ...report, findings })}${head}`);
  if (one) return;
  for (const finding of findings.slice(1, MAX_SHOWN)) print(`  ${findingText(finding)}`);
}

async function verifyOptions(options: Options, command: Command): Promise<VerifyOptions> {
  const { keys, bundle, trustDomain, expectId, expectHead, after, complete } = options;
  if (keys !== undefined && bundle !== undefined)
    wrongUsage(command, '--keys has a bundle: leave --bundle out');
  if (expectHead !== undefined && !HASH.test(expectHead))
    wrongUsage(command, '--expect-head: not a hex SHA-256');
  if (after !== undefined && !HASH.test(after)) wrongUsage(command, '--after: not a hex SHA-256');
  const read = async (file: string) => (await readInput(file, command)).toString();
  const keysText = keys === undefined ? null : await read(keys);
  const known = keysText === null ? null : parsed(command, '--keys', () => readAuditKeys(keysText));
  const text = bundle === undefined ? null : await read(bundle);
  const given = text === null ? null : parsed(command, '--bundle', () => readBundleFile(text, trustDomain));
  return {
    bundle: known?.bundle ?? given,
    ...(known === null ? {} : { countersigners: known.countersigners }),
    ...(expectId === undefined
      ? {}
      : { expectId: parsed(command, '--expect-id', () => parseSpiffeId(expectId)) }),
    ...(expectHead === undefined ? {} : { expectHead }),
    ...(after === undefined ? {} : { after }),
    ...(complete === undefined ? {} : { complete }),
  };
}

/** Every log of these files, each in its order. @returns how many files there are */
async function pourAll(paths: readonly string[], verifier: Verifier, command: Command): Promise<number> {
  try {
    const names = await auditFiles(paths);
    const files = await Promise.all(
      names.map(async (name) => ({ name, head: headOf(await beginningOf(name)) })),
    );
    // a file that was begun and never written to says nothing beside others
    const meant =
      files.length === 1 ? files : files.filter(({ head, name }) => head.seq !== null || !isEmpty(name));
    for (const log of orderFiles(meant)) await pour(log.files, verifier);
    return names.length;
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return wrongUsage(command, `cannot read ${path ?? paths.join(' ')}: ${code}`);
  }
}

async function pour(files: readonly { readonly name: string }[], verifier: Verifier): Promise<void> {
  for (const [i, { name }] of files.entries()) {
    verifier.begin(name, i === 0, countersignaturesOf(name));
    for await (const chunk of contentOf(name)) verifier.push(chunk);
  }
}

async function beginningOf(name: string): Promise<Buffer> {
  if (name === '-') return Buffer.alloc(0);
  await using file = await open(name);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}

function isEmpty(name: string): boolean {
  if (name === '-') return false;
  const fd = openSync(name, 'r');
  try {
    return readSync(fd, Buffer.alloc(1)) === 0;
  } finally {
    closeSync(fd);
  }
}

const LONGEST_COUNTERSIGNATURE = 8 * 1024;
const CHUNK = 64 * 1024;

/** The lines of the file that stands beside a collected log, read as they are asked for. Undefined where there is none. */
function countersignaturesOf(name: string): Iterator<string> | undefined {
  const beside = `${name}${COUNTERSIGNED}`;
  return name !== '-' && existsSync(beside) ? linesOf(beside) : undefined;
}

/** A last line that a crash cut off was never given to anybody, and is none. */
function* linesOf(file: string): Generator<string> {
  let found: string[] = [];
  const splitter = new LineSplitter(LONGEST_COUNTERSIGNATURE, (line) => found.push(line?.toString() ?? ''));
  const chunk = Buffer.alloc(CHUNK);
  const fd = openSync(file, 'r');
  try {
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) {
      splitter.push(chunk.subarray(0, read));
      yield* found;
      found = [];
    }
  } finally {
    closeSync(fd);
  }
}
