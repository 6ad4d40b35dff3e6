import { X509Certificate } from 'node:crypto';
import { Command } from 'commander';
import { checkSvid, pemToDer, readCertificate, SvidError } from '../lib/svid/index.ts';
import { print, printJson, readInput } from './input.ts';

/** `signet svid`: looks at certificates, offline. */
export function svidCommand(): Command {
  const svid = new Command('svid').description('look at X.509-SVIDs');
  svid
    .command('inspect')
    .description('show a certificate (PEM, or DER) and whether it is a valid SVID now; exit status 1 if not')
    .argument('<file>', 'the certificate with or without its chain, - for standard input')
    .option('--json', 'print one JSON object')
    .action(inspect);
  return svid;
}

async function inspect(file: string, options: { json?: true }, command: Command): Promise<void> {
  const [leaf, ...chain] = certificatesOf(await readInput(file, command));
  const shown = { ...describe(leaf!), flaw: flawOf(leaf!), issuers: chain.map(describe) };
  if (options.json) printJson(shown);
  else {
    const lines = [
      shown.uris.join(' ') || 'no URI SAN',
      `  serial ${shown.serial}`,
      `  valid from ${shown.not_before} until ${shown.not_after}`,
      `  issued by ${shown.issuer}`,
      ...shown.issuers.map(({ subject, not_after }) => `  chain: ${subject}, until ${not_after}`),
      shown.flaw === null
        ? '  a valid SVID (its chain was not checked)'
        : `  not a valid SVID: ${shown.flaw.message}`,
    ];
    print(lines.join('\n'));
  }
  if (shown.flaw !== null) process.exitCode = 1;
}

function certificatesOf(input: Buffer): Uint8Array[] {
  return input[0] === 0x30 ? [input] : pemToDer(input.toString());
}

/** A certificate for people and for JSON. */
export function describe(der: Uint8Array) {
  const { serial, uriSans, notBefore, notAfter, isCa } = readCertificate(der);
  const { subject, issuer } = new X509Certificate(der);
  const oneLine = (name: string | undefined) => name?.replaceAll('\n', ', ') || '(empty)';
  return {
    uris: uriSans,
    serial,
    not_before: notBefore.toISOString(),
    not_after: notAfter.toISOString(),
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    ca: isCa,
  };
}

function flawOf(der: Uint8Array): { code: string; message: string } | null {
  const info = readCertificate(der);
  const trustDomain = info.uriSans[0]?.split('/')[2] ?? '';
  try {
    checkSvid(info, { trustDomain, now: new Date() });
    return null;
  } catch (error) {
    if (!(error instanceof SvidError)) throw error;
    return { code: error.code, message: error.message };
  }
}
