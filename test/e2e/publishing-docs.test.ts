import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { startChild } from '../../harness/child.ts';
import type { DeliveryErrorCode } from '../../lib/manifest/index.ts';
import { createWorld, type World } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(root, 'docs/publishing.md'), 'utf8');
const blocks = [...text.matchAll(/^```sh test( operator)?\n([\s\S]*?)^```$/gm)];

describe('docs/publishing.md', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world?.[Symbol.asyncDispose]());

  it('holds no sh block that is not run', () => {
    assert.equal(text.match(/^```sh/gm)?.length, blocks.length);
  });

  it('works as it is written', async () => {
    const bin = join(world.dir, 'bin');
    await mkdir(bin);
    const commands = {
      npx: 'exec "$@"',
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
    };
    for (const [name, line] of Object.entries(commands)) {
      await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`);
      await chmod(join(bin, name), 0o755);
    }
    const tokenOf = async (policy: string) => {
      const made = await world.vault.request('POST', 'auth/token/create', {
        ...{ policies: [policy], no_default_policy: true },
      });
      return String(made.body.auth.client_token);
    };
    const [author, operator] = [await tokenOf('signet-author'), await tokenOf('signet-operator')];
    const script = blocks.map(
      ([, who, block]) => `export VAULT_TOKEN=${who === undefined ? author : operator}\n${block}`,
    );
    await writeFile(join(world.dir, 'doc.sh'), script.join('\n'));
    const shell = await startChild('bash', ['-euo', 'pipefail', 'doc.sh'], {
      cwd: world.dir,
      env: {
        ...world.environment({ name: 'x', id: 'x', hostKey: 'x' }),
        PATH: `${bin}:${process.env['PATH']}`,
        HOME: world.dir,
        VAULT_ADDR: world.vault.address,
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    const told = shell.stdout();
    assert.equal(code, 0, told + shell.stderr());
    assert.match(told, /^published version 1: 1 document, 1 new, 0 changed, 0 gone$/m);
    assert.match(told, /^published version 3: the 1 document of version 1$/m);
    assert.match(told, /^version 1 by token at /m);
    assert.match(told, /^3a:0f:5c$/m);
  });

  it('says of every code what it means', () => {
    const told = new Set(
      [...text.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) =>
        [...cell!.matchAll(/`(\w+)`/g)].map(([, code]) => code),
      ),
    );
    const codes: DeliveryErrorCode[] = [
      ...(['delivery_malformed', 'manifest_malformed', 'manifest_chain', 'manifest_signature'] as const),
      ...(['manifest_foreign', 'manifest_rollback', 'manifest_incomplete', 'document_unlisted'] as const),
      ...(['document_hash', 'denylist_malformed', 'denylist_chain', 'denylist_signature'] as const),
      ...(['denylist_foreign', 'denylist_rollback'] as const),
    ];
    assert.deepEqual([...told].sort(), [...codes, 'policy_refused'].sort());
  });
});
