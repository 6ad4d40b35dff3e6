import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What came of one case. */
export type Verdict = {
  readonly outcome: 'passed' | 'skipped' | 'failed';
  /** What h2spec says of a case that failed. */
  readonly why: string;
};

/** By section and title, as `http2/6.7: Sends a PING frame`. */
export type Verdicts = ReadonlyMap<string, Verdict>;

/** Runs h2spec's cases, or those of some sections, against the server at this port of 127.0.0.1. */
export async function runH2spec(
  program: string,
  port: number,
  sections: readonly string[] = [],
): Promise<Verdicts> {
  const dir = mkdtempSync(join(tmpdir(), 'signet-h2spec-'));
  try {
    const report = join(dir, 'report.xml');
    await ended(program, [...sections, '--port', String(port), '--junit-report', report]);
    return verdictsIn(readFileSync(report, 'latin1'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The section of a case. */
export function sectionOf(title: string): string {
  return title.slice(0, title.indexOf(':'));
}

const LONGEST_MS = 60_000;
/** What a case failed with stands there as it came from the wire: it is no sound XML. */
const CASE = /<testcase package="([^"]+)" classname="([^"]+)" time="[^"]*">([\s\S]*?)<\/testcase>/g;

/** Its exit status says only that some case failed. */
function ended(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: LONGEST_MS, maxBuffer: 16_777_216 }, (error) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve();
    });
  });
}

function verdictsIn(report: string): Verdicts {
  const verdicts = new Map<string, Verdict>();
  for (const [, section, title, inner] of report.matchAll(CASE)) {
    const failed = /<(?:error|failure)>/.test(inner!);
    const outcome = failed ? 'failed' : inner!.includes('<skipped>') ? 'skipped' : 'passed';
    const said = title!.replaceAll('&#34;', '"').replaceAll('&#39;', "'");
    verdicts.set(`${section}: ${said}`, { outcome, why: inner!.trim() });
  }
  return verdicts;
}
