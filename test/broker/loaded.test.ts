import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { testAws } from '../support/aws.ts';
import { openSite, type Site } from './site.ts';

const recorder = new URL('../support/module-recorder.mjs', import.meta.url);
const OF_CLUSTERS =
  /\/lib\/adapter\/kubernetes\/|\/broker\/(clusters|offline-keys)\.ts|attestors\/kubernetes|\/broker\/admission\/(?:index|inject|open)\.ts|@kubernetes\/|js-yaml/;
const OF_AWS = /\/broker\/attestors\/aws\.ts|\/broker\/aws\/document\.ts|node_modules\/(?:pkijs|asn1js)\//;
const OF_RUNS =
  /\/broker\/delegations\/(?:redeem|run-token|issuer-keys|spent)\.ts|\/lib\/(?:token|vault-layout)\/|\/jose\//;

describe('the running broker', () => {
  let site: Site;
  before(async () => {
    site = await openSite();
  });
  after(() => site?.[Symbol.asyncDispose]());
  const recording = (name: string) => ({
    NODE_OPTIONS: `--import ${recorder}`,
    LOADED_MODULES: join(site.dir, name),
  });
  const loaded = async (name: string) => (await readFile(join(site.dir, name), 'utf8')).split('\n');

  it('has loaded nothing of clusters and of AWS where it was told of none, and nothing of runs before one came', async () => {
    const broker = await site.startBroker(recording('without'));
    await broker.stop();
    const modules = await loaded('without');
    assert.ok(
      modules.some((url) => url.endsWith('/broker/attestation.ts')),
      'the recorder sees modules',
    );
    assert.deepEqual(
      modules.filter((url) => OF_CLUSTERS.test(url) || OF_RUNS.test(url) || OF_AWS.test(url)),
      [],
    );
  });

  it('has loaded what reads documents of AWS where it was told of certificates', async () => {
    await using aws = await testAws();
    const { region, certificate } = await aws.signer('eu-central-1');
    const broker = await site.startBroker({
      ...recording('aws'),
      SIGNET_AWS_CERTIFICATES: `${region}=${certificate}`,
    });
    await broker.stop();
    const modules = await loaded('aws');
    for (const part of ['/broker/aws/document.ts', 'node_modules/pkijs/', 'node_modules/asn1js/'])
      assert.ok(
        modules.some((url) => OF_AWS.test(url) && url.includes(part)),
        part,
      );
  });

  it('has loaded no package for the cluster that it runs in, and says which one it cannot use', async () => {
    const broker = await site.launchBroker({
      ...recording('within'),
      SIGNET_KUBERNETES: 'main=in-cluster',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: '1',
    });
    assert.equal((await broker.ended).code, 1);
    assert.match(broker.stderr(), /SIGNET_KUBERNETES main: the credentials cannot be had: ENOENT/);
    const modules = await loaded('within');
    assert.ok(modules.some((url) => OF_CLUSTERS.test(url)));
    assert.deepEqual(
      modules.filter((url) => /node_modules\/(?:@kubernetes|js-yaml|undici)\//.test(url)),
      [],
    );
  });
});
