import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RUN, RunIssuer } from '../../broker/delegations/run-issuer.ts';
import { signet } from '../../cli/signet.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, type Stage, type Workspace } from './stage.ts';

const PLAIN = ['-input=false', '-no-color'];
const TOKEN = 'TFC_WORKLOAD_IDENTITY_TOKEN';

describe('the provider by a delegation, with the real broker and a real OIDC issuer', function () {
  this.timeout(180_000);
  let stage: Stage;
  let issuer: RunIssuer;
  before(async () => {
    [stage, issuer] = await Promise.all([openStage(), RunIssuer.start()]);
    const { vault } = stage.site;
    const made = await signet(
      [
        ...['delegate', 'terraform', 'shop-prod', '--tenant', 'acme/shop', '--prefix', 'ns/shop/web/'],
        ...['--entries', 'web-', '--organization', RUN.terraform_organization_id],
        ...['--project', RUN.terraform_project_id, '--workspace', RUN.terraform_workspace_id],
        ...['--network', '127.0.0.0/8', '--issuer', issuer.url, '--jwks-url', issuer.jwksUrl],
      ],
      { env: { VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken } },
    );
    assert.equal(made.status, 0, made.stderr);
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const redeemed = () => stage.broker.stderr().match(/"event":"run_delegated"/g)?.length ?? 0;
  /** How many tokens were spent meanwhile. */
  const spentBy = async (act: () => Promise<unknown>): Promise<number> => {
    const before = redeemed();
    await act();
    return redeemed() - before;
  };
  const entry = (name: string, ttl = '15m', path = `ns/shop/web/${name}`) => `resource "signet_entry" "web" {
  tenant    = "acme/shop"
  name      = "${name}"
  spiffe_id = "spiffe://example.org/${path}"
  match     = { "ssh-host:key" = "SHA256:${name}" }
  ttl       = "${ttl}"
}
`;

  for (const driver of drivers())
    describe(`by ${driver.name}`, () => {
      const name = `web-${driver.name.toLowerCase()}`;
      let w: Workspace;
      beforeEach(async () => {
        w = await stage.open(driver, { SIGNET_DELEGATION: 'shop-prod' });
      });
      const fresh = async (claims = {}) => ({ [TOKEN]: await issuer.token(claims) });
      const there = async () =>
        (
          await stage.broker.call(
            'GET',
            `/v1/entries/acme.shop/${name}`,
            undefined,
            stage.site.registrar.shop,
          )
        ).body;
      const ok = async (args: readonly string[], env: Record<string, string>) => {
        const [command = '', ...rest] = args;
        const ran = await w.run([command, ...PLAIN, ...rest], env);
        assert.equal(ran.code, 0, ran.out + ran.err);
      };

      it('plans with the token of the plan phase and applies that plan with the one of the apply phase, one each', async () => {
        await w.write(entry(name));
        const plan = await fresh({ terraform_run_phase: 'plan' });
        assert.equal(await spentBy(() => ok(['plan', '-out=run'], plan)), 0, 'nothing is there to look at');
        const apply = await fresh();
        assert.equal(await spentBy(() => ok(['apply', 'run'], apply)), 1);
        assert.equal((await there()).ttl, '15m');
        await w.write(entry(name, '1h'));
        assert.equal(await spentBy(() => ok(['plan', '-out=run'], plan)), 1);
        const next = await fresh();
        assert.equal(await spentBy(() => ok(['apply', 'run'], next)), 1);
        assert.equal((await there()).ttl, '1h');
        const destroyed = () =>
          fresh({ terraform_run_phase: 'plan' }).then((env) => ok(['plan', '-destroy', '-out=run'], env));
        assert.equal(await spentBy(destroyed), 1);
        const last = await fresh();
        assert.equal(await spentBy(() => ok(['apply', 'run'], last)), 1);
        assert.equal((await there()).code, 'entry_not_found');
      });

      it('spends two tokens in an apply that plans as well, which a command gives', async () => {
        const program = join(w.dir, 'token.mjs');
        await writeFile(join(w.dir, 'tokens'), '');
        await writeFile(
          program,
          `import { readFileSync, writeFileSync } from 'node:fs';
const [first, ...rest] = readFileSync('tokens', 'utf8').split('\\n');
writeFileSync('tokens', rest.join('\\n'));
console.log(first);
`,
        );
        const provider = `  token_command = [${JSON.stringify(process.execPath)}, "token.mjs"]`;
        const tokens = async (count: number) => {
          const all: string[] = [];
          while (all.length < count) all.push(await issuer.token());
          await writeFile(join(w.dir, 'tokens'), all.join('\n'));
        };
        await w.write(entry(name), provider);
        await tokens(1);
        assert.equal(await spentBy(() => w.apply()), 1, 'nothing is there to look at');
        await w.write(entry(name, '1h'), provider);
        await tokens(2);
        assert.equal(await spentBy(() => w.apply()), 2);
        await tokens(2);
        assert.equal(await spentBy(() => ok(['destroy', '-auto-approve'], {})), 2);
      });

      it('does with one token where it is redeemed once, ahead', async () => {
        const redeem = async () => {
          const token = await issuer.token();
          return (await stage.broker.call('POST', '/v1/delegations/shop-prod', { token })).body.token;
        };
        const env = { SIGNET_DELEGATION: '', VAULT_TOKEN: await redeem() };
        await w.write(entry(name));
        await w.apply(env);
        await w.write(entry(name, '1h'));
        await w.apply(env);
        await ok(['destroy', '-auto-approve'], env);
      });

      it('says of a refusal which attribute it is about', async () => {
        await w.write(entry(name));
        const first = await fresh();
        await w.apply(first);
        assert.match(
          await w.refused(first, 'plan', ...PLAIN),
          /shown before .*token_command.* \(run_token_spent\) It is about delegation of the provider/,
        );
        await w.write(entry(name, '1h'));
        const only = ['apply', '-auto-approve', '-refresh=false', ...PLAIN];
        const cases: [claims: object, wanted: RegExp][] = [
          [
            { terraform_workspace_id: 'ws-other' },
            /\(run_not_delegated\).* about delegation of the provider/,
          ],
          [{ aud: 'vault' }, /\(run_token_audience\) It is about delegation of the provider/],
          [
            { exp: 1_700_000_000, iat: 1_699_990_000, nbf: 1_699_990_000 },
            /\(run_token_expired\) It is about delegation of the provider/,
          ],
          [{ terraform_run_phase: 'plan' }, /token of a plan phase looks, .* \(vault_denied\)/],
        ];
        for (const [claims, wanted] of cases) {
          assert.match(await w.refused(await fresh(claims), ...only), wanted);
        }
        assert.match(await w.refused({ [TOKEN]: 'opaque-and-long-enough' }, ...only), /run_token_invalid/);
        assert.match(await w.refused({ [TOKEN]: '' }, ...only), /The run has no token/);
        await w.write(entry(name, '1h'), '  token = "opaque-and-long-enough"');
        assert.match(await w.refused({}, ...only), /\(run_token_invalid\) It is about token of the provider/);
        await w.write(entry(name, '1h'), '  token_file = "nowhere"');
        assert.match(await w.refused({}, ...only), /nowhere failed: ENOENT. It is about token_file of/);
        await w.write(entry(name, '1h'));
        assert.match(
          await w.refused({ ...(await fresh()), SIGNET_DELEGATION: 'other' }, ...only),
          /delegation/,
        );
        const env = await fresh();
        await ok(['destroy', '-auto-approve', '-refresh=false'], env);
        const outside: [configuration: string, wanted: RegExp][] = [
          [entry('orders'), /: name = "orders"/],
          [entry(name, '15m', 'ns/shop/sa/x'), /: spiffe_id = /],
          [entry(name).replace('"acme/shop"', '"globex"'), /: tenant = "globex"/],
        ];
        for (const [configuration, wanted] of outside) {
          await w.write(configuration);
          assert.match(await w.refused(await fresh()), wanted);
        }
      });
    });
});
