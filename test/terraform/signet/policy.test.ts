import assert from 'node:assert/strict';
import { signet } from '../../cli/signet.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, type Stage } from './stage.ts';

const PLAIN = ['-input=false', '-no-color'];

const rule = (name: string, path: string, more = '') => `jsonencode([{
    name = "${name}", level = "application", target = "spiffe://example.org/ns/shop/sa/orders", effect = "allow", mode = "enforce"
    when = { all = [{ path = ${path} }] }${more}
  }])`;
const READS = rule('reads', '{ like = "/orders/**" }');
const set = (...sources: string[]) =>
  `resource "signet_policy" "all" {\n  sources = [${sources.join(', ')}]\n}\n`;

describe('signet_policy, with the real broker and the real Vault', function () {
  this.timeout(180_000);
  let stage: Stage;
  let author: string;
  before(async () => {
    stage = await openStage();
    author = await stage.site.tokenOf('signet-author');
  });
  after(() => stage?.[Symbol.asyncDispose]());

  const atVault = () => ({ VAULT_ADDR: stage.site.vault.address, VAULT_TOKEN: author });
  /** What brokers hand out. */
  const status = async () => {
    const answer = await stage.broker.call('GET', '/v1/policies/status', undefined, author);
    const { version, targets } = answer.body.published as {
      version: number;
      targets: { documents: string[] }[];
    };
    return { version, documents: targets.flatMap(({ documents }) => documents) };
  };
  const publishByHand = async (name: string) => {
    const document = {
      ...{ name, level: 'application', target: 'spiffe://example.org/ns/shop/sa/orders' },
      ...{ effect: 'allow', mode: 'enforce', when: { all: [{ method: { is: 'GET' } }] } },
    };
    const done = await signet(['policy', 'publish', '-'], {
      env: atVault(),
      input: JSON.stringify([document]),
    });
    assert.equal(done.status, 0, done.stderr);
  };

  for (const driver of drivers())
    describe(`by ${driver.name}`, () => {
      before(function () {
        if (driver.program === undefined) this.skip();
      });

      it('publishes a set, plans nothing more, publishes what changes, and takes back what others publish', async () => {
        const w = await stage.open(driver, atVault());
        await w.write(set(READS, rule('numbered', '{ matches = "^/orders/[0-9]+$" }')));
        await w.apply();
        const first = await status();
        assert.deepEqual(first.documents.toSorted(), ['numbered', 'reads']);
        assert.equal(await w.isDone(), true);
        // the same in one text: nothing of it is to be published
        await w.write(set(READS.replace('])', '  ])'), rule('numbered', '{ matches = "^/orders/[0-9]+$" }')));
        await w.apply();
        assert.equal((await status()).version, first.version);
        await w.write(set(READS));
        await w.apply();
        assert.deepEqual(await status(), { version: first.version + 1, documents: ['reads'] });
        await publishByHand('other');
        assert.equal(await w.isDone(), false);
        await w.apply();
        assert.deepEqual(await status(), { version: first.version + 3, documents: ['reads'] });
        assert.equal(await w.isDone(), true);
        const state = await w.state('signet_policy.all');
        assert.equal(state.version, first.version + 3);
        assert.deepEqual(Object.keys(state.documents), ['spiffe://example.org/ns/shop/sa/orders reads']);

        await w.write(set(READS, rule('more', '{ is = "/more" }')));
        const planned = await w.run(['plan', '-out=kept.plan', ...PLAIN]);
        assert.equal(planned.code, 0, planned.err);
        await publishByHand('between');
        assert.match(
          await w.refused({}, 'apply', ...PLAIN, 'kept.plan'),
          /Somebody else has published since this was planned/,
        );
        assert.deepEqual((await status()).documents, ['between']);
        assert.ok(!(await w.stateText()).includes(author));

        const second = await stage.open(driver, atVault());
        await second.write(set(READS));
        assert.match(await second.refused(), /Policies are published already, which differ/);
        const imported = await second.run(['import', ...PLAIN, 'signet_policy.all', 'published']);
        assert.equal(imported.code, 0, imported.err);
        assert.equal(await second.isDone(), false);
        await second.apply();
        assert.deepEqual((await status()).documents, ['reads']);
        const gone = await second.run(['destroy', '-auto-approve', ...PLAIN]);
        assert.equal(gone.code, 0, gone.err);
        assert.deepEqual((await status()).documents, []);
      });

      it('refuses what sidecars would not take, before anybody is asked, and says where it is', async () => {
        const w = await stage.open(driver, atVault());
        const wrong = rule('wrong', '{ like = 3 }');
        await w.write(set(READS, wrong));
        const said = await w.refused({}, 'validate', '-no-color');
        assert.match(
          said,
          /A policy that sidecars would not take .*sources\[1\]#\/0\/when\/all\/0\/path\/like/,
        );
        await w.write(set('"no json"'));
        assert.match(await w.refused({}, 'validate', '-no-color'), /sources\[0\]#/);
        await w.write(set(READS, READS));
        assert.match(await w.refused({}, 'validate', '-no-color'), /would not take/);
      });

      it('is for authors alone, with Vault itself', async () => {
        const w = await stage.open(driver);
        await w.write(set(READS));
        const { VAULT_ADDR } = atVault();
        const registrar = { VAULT_ADDR, VAULT_TOKEN: stage.site.registrar.shop };
        assert.match(await w.refused(registrar), /This token may not publish policies .*signet-author/);
        assert.match(await w.refused({ VAULT_TOKEN: author }), /vault_address is not set/);
        assert.match(
          await w.refused({ VAULT_TOKEN: author, VAULT_ADDR: 'http://192.0.2.1' }),
          /vault_address cannot be used/,
        );
        const delegated = { VAULT_ADDR, SIGNET_DELEGATION: 'x', TFC_WORKLOAD_IDENTITY_TOKEN: 'x' };
        assert.match(await w.refused(delegated), /A delegation signs no policies/);
        assert.match(await w.refused({ ...registrar, VAULT_ADDR: 'http://127.0.0.1:9' }), /not published/);
      });
    });
});
