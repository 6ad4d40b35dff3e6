import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { startChild } from '../../harness/child.ts';
import { openSite, type Site, type TestBroker } from '../broker/site.ts';
import { needSwtpm, type Swtpm, startSwtpm } from '../support/swtpm.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(ROOT, 'docs/devices.md'), 'utf8');
const codes = await readFile(join(ROOT, 'broker/attestors/attestor.ts'), 'utf8');

/** The blocks of one session, from top to bottom. */
const blocks = (session: string) =>
  [...text.matchAll(/^```sh (\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === session)
    .map(([, , block]) => block!);

describe('docs/devices.md', function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  let dir: string;
  let tpm: Swtpm | undefined;
  before(async () => {
    site = await openSite();
    dir = await mkdtemp(join(tmpdir(), 'signet-doc-'));
    await mkdir(join(dir, 'bin'));
    await writeFile(
      join(dir, 'bin/signet'),
      `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'bin/signet.mjs')}" "$@"\n`,
    );
    await chmod(join(dir, 'bin/signet'), 0o755);
    await writeFile(join(dir, 'root.pem'), site.ca);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await tpm?.[Symbol.asyncDispose]();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  const play = async (session: string, more: Readonly<Record<string, string>> = {}) => {
    await writeFile(join(dir, 'doc.sh'), blocks(session).join('\n'));
    const shell = await startChild('bash', ['-euo', 'pipefail', 'doc.sh'], {
      cwd: dir,
      env: {
        PATH: `${join(dir, 'bin')}:${process.env['PATH']}`,
        HOME: dir,
        VAULT_ADDR: site.vault.address,
        VAULT_TOKEN: site.registrar.shop,
        SIGNET_TRUST_DOMAIN: 'example.org',
        SIGNET_BROKER_URL: broker === undefined ? '' : `https://${broker.address}`,
        SIGNET_BROKER_CA: join(dir, 'root.pem'),
        ...more,
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    return shell.stdout();
  };

  it('holds no sh block that is not run', () => {
    const run = ['maker', 'entry', 'release', 'revoke', 'tpm'].flatMap(blocks).length;
    assert.equal(text.match(/^```sh/gm)?.length, run);
  });
  it('gives a device of a manufacturer its ID, until that takes it back', async () => {
    await play('maker');
    broker = await site.startBroker({ SIGNET_DEVICE_CAS: join(dir, 'devices.json'), SIGNET_TPM_CAS: 'none' });
    assert.match(
      await play('entry'),
      /spiffe:\/\/example\.org\/ns\/shop\/device-type\/camera\/ver\/2\/ins\/7f3c by /,
    );
    await writeFile(join(dir, 'broker.log'), broker.stderr());
    await play('release', { VAULT_TOKEN: await site.tokenOf('signet-operator') });
    await play('revoke');
    assert.ok(broker.logs().some(({ reason }) => String(reason).startsWith('DEVICE_REVOKED')));
  });
  it('gives a machine its ID by its TPM', async function () {
    needSwtpm(this);
    tpm = await startSwtpm();
    const told = await play('tpm', { TPM: `unix:${tpm.socket}`, TPM2TOOLS_TCTI: `swtpm:path=${tpm.socket}` });
    assert.match(told, /spiffe:\/\/example\.org\/ns\/shop\/sa\/edge-1 by /);
  });
  it('says what every reason means, and of no other', () => {
    const told = new Set(text.match(/`(DEVICE|CRL|TPM)_[A-Z_]+`/g)?.map((code) => code.slice(1, -1)));
    const there = new Set(codes.match(/'(DEVICE|CRL|TPM)_[A-Z_]+'/g)?.map((code) => code.slice(1, -1)));
    assert.deepEqual([...told].sort(), [...there].sort());
  });
});
