import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { PROBLEM_CODES, Problem } from '../../../broker/problem.ts';
import { startChild } from '../../../harness/child.ts';
import { RunIssuer } from '../../support/run-issuer.ts';
import { openSite, type Site, type TestBroker } from '../site.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const doc = await readFile(join(root, 'docs/delegation.md'), 'utf8');
const blocks = Array.from(doc.matchAll(/^```sh test\n([\s\S]*?)^```$/gm), ([, block]) => block ?? '');

describe('docs/delegation.md', () => {
  let site: Site;
  let issuer: RunIssuer;
  let broker: TestBroker;
  before(async () => {
    [site, issuer] = await Promise.all([openSite(), RunIssuer.start()]);
    broker = await site.startBroker();
    await mkdir(join(site.dir, 'bin'));
    const commands = {
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
      node: `exec "${process.execPath}" "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      const file = join(site.dir, 'bin', name);
      await writeFile(file, `#!/bin/sh\n${line}\n`);
      await chmod(file, 0o755);
    }
    await writeFile(join(site.dir, 'broker-ca.pem'), site.ca);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  it('holds no sh block that is not run', () => assert.equal(doc.match(/^```sh/gm)?.length, blocks.length));

  it('names the codes as they are', () => {
    const known = PROBLEM_CODES.map((code) => `${new Problem(code).status} ${code}`);
    const told = Array.from(doc.matchAll(/\| `(\d{3} [a-z_]+)` \|$/gm), ([, code]) => code ?? '');
    assert.ok(told.length >= 7);
    assert.deepEqual(
      told.filter((code) => !known.includes(code)),
      [],
    );
  });

  it('works as it is written', async function () {
    this.timeout(60_000);
    // both issuers stand for the one on loopback
    const script = blocks
      .join('\n')
      .replaceAll(/https:\/\/(app\.terraform\.io|ci\.example\.org)/g, issuer.url);
    await writeFile(join(site.dir, 'doc.sh'), script);
    const shell = await startChild('bash', ['-euo', 'pipefail', 'doc.sh'], {
      cwd: site.dir,
      env: {
        PATH: `${join(site.dir, 'bin')}:${process.env['PATH']}`,
        HOME: site.dir,
        VAULT_ADDR: site.vault.address,
        VAULT_TOKEN: site.vault.rootToken,
        SIGNET_TRUST_DOMAIN: 'example.org',
        SIGNET_BROKER_URL: `https://${broker.address}`,
        SIGNET_BROKER_CA: join(site.dir, 'broker-ca.pem'),
        TFC_WORKLOAD_IDENTITY_TOKEN: await issuer.token(),
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    assert.match(shell.stdout(), /^wrote signet\/data\/delegations\/shop-prod$/m);
    assert.match(shell.stdout(), /^no faults, /m);
    assert.match(shell.stdout(), /^deleted shop-deploy$/m);
    assert.match(shell.stdout(), /^deleted shop-hosts$/m);
    assert.equal(shell.stdout().match(/^acme\/shop\/web-one active /gm)?.length, 2);
  });
});
