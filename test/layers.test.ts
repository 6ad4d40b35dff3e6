import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { judgeLayers } from '../setup/layers.mjs';

describe('layers', () => {
  it('hold in this repository', async () => {
    const { modules, violations } = await judgeLayers();
    assert.ok(modules > 50, `only ${modules} modules were seen`);
    assert.deepEqual(violations, []);
  });

  describe('are broken by', () => {
    /** Files by name; the first one is the offender. An empty one only has to exist. */
    const cases: [offence: string, rule: string, files: Record<string, string>][] = [
      [
        'a stage that imports a later one',
        'stage-order-spiffe',
        { 'lib/spiffe/index.ts': `import '../svid/index.ts';`, 'lib/svid/index.ts': '' },
      ],
      [
        'a token that asks for a policy',
        'stage-order-token',
        { 'lib/token/index.ts': `import '../policy/index.ts';`, 'lib/policy/index.ts': '' },
      ],
      [
        'a risk that knows of policy',
        'stage-order-risk',
        { 'lib/risk/index.ts': `import '../policy/index.ts';`, 'lib/policy/index.ts': '' },
      ],
      [
        'manifests that know what a policy means',
        'stage-order-manifest',
        { 'lib/manifest/index.ts': `import '../policy/index.ts';`, 'lib/policy/index.ts': '' },
      ],
      [
        'a policy that asks what the app is told',
        'stage-order-policy',
        { 'lib/policy/index.ts': `import '../assertion/index.ts';`, 'lib/assertion/index.ts': '' },
      ],
      [
        'a stage that imports the last one',
        'stage-order-audit',
        { 'lib/audit/index.ts': `import '../telemetry/index.ts';`, 'lib/telemetry/index.ts': '' },
      ],
      [
        'telemetry that knows how calls are counted',
        'stage-order-telemetry',
        { 'lib/telemetry/index.ts': `import '../calls/index.ts';`, 'lib/calls/index.ts': '' },
      ],
      [
        'a vault-layout that opens connections',
        'vault-layout-acts-through-its-port',
        { 'lib/vault-layout/a.ts': `import 'node:https';` },
      ],
      [
        'a judge of clusters that reads files',
        'kubernetes-judges-what-it-is-shown',
        { 'lib/kubernetes/a.ts': `import 'node:fs';` },
      ],
      [
        'a judge of clusters that knows another room',
        'kubernetes-judges-what-it-is-shown',
        { 'lib/kubernetes/a.ts': `import '../spiffe/index.ts';`, 'lib/spiffe/index.ts': '' },
      ],
      ['a stage that reads files', 'stages-are-pure', { 'lib/svid/index.ts': `import 'node:fs';` }],
      [
        'a stage that imports an adapter',
        'stages-know-no-adapter',
        { 'lib/svid/index.ts': `import '../adapter/clock.ts';`, 'lib/adapter/clock.ts': '' },
      ],
      [
        'a base module that imports a stage',
        'base-knows-no-room',
        { 'lib/errors.ts': `import './svid/index.ts';`, 'lib/svid/index.ts': '' },
      ],
      [
        'a Terraform provider that reads the broker',
        'terraform-provider-knows-no-program',
        { 'terraform/provider/main.ts': `import '../../broker/broker.ts';`, 'broker/broker.ts': '' },
      ],
      [
        'a resource that speaks the protocol',
        'one-room-speaks-to-terraform',
        {
          'terraform/provider/entry.ts': `import '@grpc/grpc-js';`,
          'node_modules/@grpc/grpc-js/package.json': '{"main":"index.js"}',
          'node_modules/@grpc/grpc-js/index.js': '',
        },
      ],
      [
        'lib that imports a program',
        'lib-knows-no-program',
        { 'lib/adapter/a.ts': `import '../../broker/b.ts';`, 'broker/b.ts': '' },
      ],
      [
        'a stage imported past its index',
        'stage-by-its-index',
        { 'cli/a.ts': `import '../lib/svid/leaf.ts';`, 'lib/svid/leaf.ts': '' },
      ],
      [
        'the sidecar that imports the broker',
        'broker-and-sidecar-are-strangers',
        { 'sidecar/a.ts': `import '../broker/b.ts';`, 'broker/b.ts': '' },
      ],
      [
        'the broker that imports a type of the sidecar',
        'broker-and-sidecar-are-strangers',
        { 'broker/a.ts': `import type { B } from '../sidecar/b.ts';`, 'sidecar/b.ts': 'export type B = 1;' },
      ],
      [
        'a second importer of node-vault',
        'one-room-speaks-to-vault',
        { 'broker/a.ts': `import 'node-vault';` },
      ],
      [
        'a second importer of the Kubernetes client',
        'one-room-speaks-to-kubernetes',
        { 'broker/a.ts': `import '@kubernetes/client-node';` },
      ],
      [
        'a sidecar that asks a cluster',
        'sidecar-knows-no-cluster',
        {
          'sidecar/a.ts': `import '../lib/adapter/kubernetes/index.ts';`,
          'lib/adapter/kubernetes/index.ts': '',
        },
      ],
      [
        'a sidecar that reaches express by two steps',
        'lean-sidecar',
        { 'sidecar/a.ts': `import '../lib/adapter/b.ts';`, 'lib/adapter/b.ts': `import 'express';` },
      ],
      [
        'a sidecar that reaches @peculiar/x509',
        'lean-sidecar',
        { 'sidecar/a.ts': `import '@peculiar/x509';` },
      ],
      ['a cycle', 'no-cycle', { 'cli/a.ts': `import './b.ts';`, 'cli/b.ts': `import './a.ts';` }],
      ['an import of nothing', 'resolvable', { 'cli/a.ts': `import './nowhere.ts';` }],
      [
        'a program that imports test code',
        'product-knows-no-workshop',
        { 'broker/a.ts': `import '../test/b.ts';`, 'test/b.ts': '' },
      ],
      [
        'a program that knows how it is packed',
        'product-knows-no-workshop',
        { 'sidecar/a.ts': `import '../packaging/b.ts';`, 'packaging/b.ts': '' },
      ],
      [
        'packaging that runs what it packs',
        'packaging-takes-sources-as-files',
        { 'packaging/a.ts': `import '../broker/b.ts';`, 'broker/b.ts': '' },
      ],
      [
        'a program that needs a development package',
        'product-needs-no-dev-package',
        { 'broker/a.ts': `import 'fast-check';` },
      ],
      [
        'a demo that needs a development package, where its apps may',
        'product-needs-no-dev-package',
        { 'cli/demo/a.ts': `import 'fast-check';`, 'cli/demo/apps/b.ts': `import 'fast-check';` },
      ],
    ];
    for (const [offence, rule, files] of cases) {
      it(offence, async () => {
        const folder = await layOut(files);
        try {
          const { violations } = await judgeLayers(folder);
          const found = new Set(violations.map((each) => each.slice(0, each.indexOf(' imports'))));
          assert.deepEqual([...found], [`${rule}: ${Object.keys(files)[0]}`]);
        } finally {
          await rm(folder, { recursive: true });
        }
      });
    }
  });
});

/** A folder that looks like the clone to the rules, with stand-ins for the packages that its files import. */
async function layOut(files: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'signet-layers-'));
  const dependencies = {
    express: '1',
    'node-vault': '1',
    '@peculiar/x509': '1',
    '@kubernetes/client-node': '1',
  };
  const devDependencies = { 'fast-check': '1' };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ dependencies, devDependencies }));
  const packages = Object.keys({ ...dependencies, ...devDependencies });
  const standIns = packages.map((name) => [`node_modules/${name}/index.js`, ''] as const);
  for (const [name, text] of [...Object.entries(files), ...standIns]) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
