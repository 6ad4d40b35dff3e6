import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { startChild } from '../../harness/child.ts';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import { type ClusterSite, openClusterSite } from './cluster-site.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(root, 'docs/kubernetes.md'), 'utf8');
const blocks = [...text.matchAll(/^```sh( check| pods)?\n([\s\S]*?)^```$/gm)];
const marked = (mark: string | undefined) =>
  blocks.filter(([, is]) => is === mark).map(([, , block]) => block!);

describe('docs/kubernetes.md', function () {
  this.timeout(120_000);
  let site: ClusterSite;
  let env: Readonly<Record<string, string>>;

  before(async () => {
    site = await openClusterSite();
    const { api, vault, dir } = site;
    const applied = await site.signet(...site.apply);
    assert.equal(applied.code, 0, applied.out);
    await api.createServiceAccount('signet', 'signet-broker');
    await api.createPod({ namespace: 'signet', name: 'broker-1', serviceAccount: 'signet-broker' });
    const own = { audience: 'vault', seconds: 600, pod: 'broker-1' };
    await site.putToken(await api.requestToken('signet', 'signet-broker', own));
    const broker = await site.startBroker({ SIGNET_KUBERNETES: `main=kubeconfig:${api.kubeconfig}` });
    const commands = {
      npx: 'exec "$@"',
      signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
      kubectl: `exec "${kubeBinary()}" kubectl "$@"`,
    };
    await mkdir(join(dir, 'bin'));
    for (const [name, line] of Object.entries(commands)) {
      await writeFile(join(dir, 'bin', name), `#!/bin/sh\n${line}\n`);
      await chmod(join(dir, 'bin', name), 0o755);
    }
    env = {
      ...{ PATH: `${join(dir, 'bin')}:${process.env['PATH']}`, HOME: dir, KUBECONFIG: api.kubeconfig },
      ...{ VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken },
      SIGNET_BROKER_URL: `https://${broker.address}`,
    };
  });
  after(() => site?.[Symbol.asyncDispose]());

  const run = async (script: readonly string[]) => {
    await writeFile(join(site.dir, 'doc.sh'), script.join('\n'));
    const shell = await startChild('bash', ['-euo', 'pipefail', 'doc.sh'], { cwd: site.dir, env });
    shell.stdin.end();
    const { code } = await shell.ended;
    return { code, out: shell.stdout(), all: shell.stdout() + shell.stderr() };
  };

  it('says of every block whether it is run', () => {
    assert.equal(text.match(/^```sh/gm)?.length, blocks.length);
    assert.ok(marked(undefined).length > 4);
  });

  it('works as it is written, as far as no pod has to run', async () => {
    const { code, all } = await run(marked(undefined));
    assert.equal(code, 0, all);
    const { body } = await site.api.request('GET', '/apis/apps/v1/namespaces/shop/deployments/web');
    assert.equal(body.spec.template.metadata.annotations['signet/inject'], 'true');
  });

  it('finds by its check what this cluster lacks, and nothing in what the document made', async () => {
    await site.api.createServiceAccount('shop', 'default');
    const { code, all, out } = await run(marked(' check'));
    assert.equal(code, 1, all);
    const told = [...out.matchAll(/^(?:fault|warning) (\S+)$/gm)].map(([, id]) => id);
    // there is no chart here, and nobody makes the pods
    assert.deepEqual(
      told.sort(),
      [
        'broker.none',
        'rights.token-reviews',
        'webhook.mutating',
        'webhook.not-injected',
        'webhook.validating',
      ],
      all,
    );
  });
});
