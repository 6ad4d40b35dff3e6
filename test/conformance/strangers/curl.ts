import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../../harness/child.ts';
import { which } from '../../../setup/commands.mjs';
import { type Ask, filled } from './asks.ts';
import type { Answer } from './transcript.ts';

const SMALL = 4096;

/** Makes the exchanges by curl, over one connection in HTTP/1.1; curl 7.88 cannot use one of HTTP/2 again that it began unasked. */
export async function askByCurl(
  version: 1 | 2,
  base: string,
  host: string,
  asks: readonly Ask[],
): Promise<readonly Answer[]> {
  if (version === 1) return inOneRun(version, base, host, asks);
  const answers: Answer[] = [];
  for (const each of asks) answers.push(...(await inOneRun(version, base, host, [each])));
  return answers;
}

async function inOneRun(
  version: 1 | 2,
  base: string,
  host: string,
  asks: readonly Ask[],
): Promise<readonly Answer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-curl-'));
  const file = (kind: string, i: number) => join(folder, `${kind}-${i}`);
  try {
    const sections = asks.map((ask, i) => {
      if (ask.body !== '') writeFileSync(file('sent', i), filled(ask.size));
      return [
        ...['silent', 'max-time = 30', version === 1 ? 'http1.1' : 'http2-prior-knowledge'],
        ...(ask.method === 'HEAD' ? ['head'] : [`request = ${ask.method}`]),
        ...(ask.body === '' ? [] : [`data-binary = "@${file('sent', i)}"`]),
        ...(ask.body === 'chunked' ? ['header = "Transfer-Encoding: chunked"'] : []),
        ...(ask.follow ? ['location'] : []),
        ...[['Host', host] as const, ...ask.headers].map(([name, value]) => `header = ${line(name, value)}`),
        ...[`dump-header = "${file('head', i)}"`, `output = "${file('body', i)}"`],
        ...['write-out = "%{num_connects} %{exitcode}\\n"', `url = "${base}${ask.path}"`],
      ].join('\n');
    });
    await using child = await startChild(which('curl')!, ['--config', '-']);
    child.stdin.end(Buffer.from(sections.join('\nnext\n'), 'latin1'));
    await child.ended;
    const ends = child.stdout().trim().split('\n');
    return asks.map((_, i) => {
      const [connects = '', exit = ''] = ends[i]?.split(' ') ?? [];
      const head = read(file('head', i));
      // of a HEAD it puts the head there too
      const body = asks[i]!.method === 'HEAD' ? Buffer.alloc(0) : read(file('body', i));
      return {
        ...parsed(head.toString('latin1')),
        body: { length: body.length, sha256: hash('sha256', body) },
        text: body.length <= SMALL ? body.toString('latin1') : '',
        fresh: version === 1 && connects !== '0',
        error: exit === '0' ? '' : `exit ${exit} ${child.stderr()}`,
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** curl sends no header without a value but when its name ends in a semicolon. */
function line(name: string, value: string): string {
  return JSON.stringify(value === '' ? `${name};` : `${name}: ${value}`);
}

function read(file: string): Buffer {
  return existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
}

/** Heads, one after the other, and last the trailers. All heads but the last count as interim ones. */
function parsed(text: string): Pick<Answer, 'interim' | 'status' | 'headers' | 'trailers'> {
  const blocks = text.split('\r\n\r\n').map((block) => block.split('\r\n').filter((each) => each !== ''));
  const heads = blocks.filter(([first]) => first?.startsWith('HTTP/'));
  const rest = blocks.filter(([first]) => first !== undefined && !first.startsWith('HTTP/'));
  const read = heads.map(([first = '', ...lines]) => ({
    status: Number(first.split(' ')[1]),
    headers: lines.map(pair),
  }));
  const { status = 0, headers = [] } = read.pop() ?? {};
  return { interim: read, status, headers, trailers: rest.flat().map(pair) };
}

function pair(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}
