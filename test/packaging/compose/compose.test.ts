import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { load } from 'js-yaml';
import { after, before, describe, it } from 'mocha';
import { type LoggingProcess, type LogLine, startProcess } from '../../../harness/processes.ts';
import { root } from '../../../setup/paths.mjs';
import { mayRedirect, Namespace } from '../../e2e/namespace.ts';
import { type Built, buildImage, needImageParts } from '../oci/built.ts';
import { composeText, folder, readCompose } from './compose-file.ts';

const GIVEN = { VAULT_ADDR: 'https://vault:8200', SIGNET_VAULT_ROLE_ID: 'r', ORDERS_IMAGE: 'orders:1' };
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

describe('examples/compose', () => {
  const schema = JSON.parse(readFileSync(join(root, 'test/vectors/compose/compose-spec.json'), 'utf8'));
  const valid = new Ajv2020({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  const { services } = readCompose(GIVEN);

  it('is as the schema of Compose has it, with its variables and without', () => {
    for (const file of [readCompose(GIVEN), load(composeText)])
      assert.ok(valid(file), JSON.stringify(valid.errors));
  });

  for (const [what, wrong] of [
    ['a field that there is not', composeText.replaceAll('read_only', 'readonly')],
    ['a condition that there is not', composeText.replaceAll('service_healthy', 'service_well')],
    ['a command that is a map', composeText.replace('[sidecar]', '{ sidecar: 1 }')],
  ] as const)
    it(`would not be with ${what}`, () => assert.equal(valid(load(wrong)), false));

  for (const [name, { user, ...service }] of Object.entries(services))
    it(`gives ${name} no rights: a user, a read-only root, no capability, no new privileges`, () => {
      assert.match(user, /^[1-9]\d*:[1-9]\d*$/);
      assert.equal(service.read_only, true);
      assert.deepEqual(service.cap_drop, ['ALL']);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
    });

  it("has the app in the sidecar's network, once that one is healthy, as another user", () => {
    const { orders, 'orders-sidecar': sidecar, broker } = services;
    assert.equal(orders?.network_mode, 'service:orders-sidecar');
    assert.equal(orders?.depends_on?.['orders-sidecar']?.condition, 'service_healthy');
    assert.equal(sidecar?.depends_on?.['broker']?.condition, 'service_healthy');
    assert.notEqual(orders?.user, sidecar?.user);
    assert.deepEqual([broker?.image, sidecar?.image], [`signet:${version}`, `signet:${version}`]);
  });

  it('has no secret in a variable, and needs what it says', () => {
    for (const name of Object.keys(GIVEN))
      assert.throws(() => readCompose({ ...GIVEN, [name]: '' }), new RegExp(`^Error: ${name}: `));
    const ignored = readFileSync(join(folder, '.gitignore'), 'utf8').split('\n');
    for (const { file } of Object.values(readCompose(GIVEN).secrets))
      assert.ok(ignored.includes(file.slice('./'.length)), file);
  });

  describe('as real processes, in the image', function () {
    this.timeout(120_000);
    let image: Built;
    let namespace: Namespace;
    let stage: LoggingProcess;
    let staged: LogLine;
    before(async function () {
      needImageParts(this);
      if (!mayRedirect() && process.env['CI'] !== 'true') this.skip();
      image = await buildImage();
      namespace = await Namespace.create();
      stage = await startProcess({
        script: fileURLToPath(new URL('stage.ts', import.meta.url)),
        args: [image.unpack(process.arch === 'x64' ? 'amd64' : 'arm64')],
        inside: namespace.inside,
      });
      staged = await stage.waitForEvent('staged', undefined, 80_000);
    });
    after(async () => {
      await stage?.stop();
      await namespace?.[Symbol.asyncDispose]();
      image?.[Symbol.dispose]();
    });

    const call = async (method: string) => {
      const url = `http://${String(staged['outbound'])}/`;
      const words = ['-s', '-m', '10', '-X', method, '-H', 'Host: orders', '-w', '%{http_code}', url];
      return (await namespace.run('curl', words)).stdout;
    };

    it('the sidecar has its identity by the join code, and the app is called', async () => {
      assert.equal(staged['svid'], 'spiffe://example.org/ns/shop/sa/orders');
      assert.equal(await call('GET'), 'called by spiffe://example.org/ns/shop/sa/web\n200');
    });

    it('what the policies do not allow is refused', async () => assert.match(await call('DELETE'), /403$/));

    it('neither broker nor sidecar has a right of the kernel', () => {
      const none = { Uid: Array(4).fill('65532').join('\t'), CapEff: '0'.repeat(16), NoNewPrivs: '1' };
      assert.deepEqual(staged['rights'], { broker: none, sidecar: none });
    });
  });
});
