import assert from 'node:assert/strict';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostEntry } from '../../broker/site.ts';
import { signet } from '../../cli/signet.ts';
import { RUN, RunIssuer } from '../../support/run-issuer.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, type Stage, type Workspace } from './stage.ts';

const past = () => {
  const now = Math.floor(Date.now() / 1000);
  return { iat: now - 7_200, nbf: now - 7_200, exp: now - 120 };
};

const PLAIN = ['-input=false', '-no-color'];

describe('a run that registers by its delegation', function () {
  this.timeout(180_000);
  let stage: Stage;
  let issuer: RunIssuer;
  before(async () => {
    [stage, issuer] = await Promise.all([openStage(), RunIssuer.start()]);
    const made = await signet(
      [
        ...['delegate', 'terraform', 'shop-prod', '--tenant', 'acme/shop', '--prefix', 'ns/shop/web/'],
        ...['--entries', 'web-', '--organization', RUN.terraform_organization_id],
        ...['--project', RUN.terraform_project_id, '--workspace', RUN.terraform_workspace_id],
        ...['--network', '127.0.0.0/8', '--issuer', issuer.url, '--jwks-url', issuer.jwksUrl],
      ],
      { env: { VAULT_ADDR: stage.site.vault.address, VAULT_TOKEN: stage.site.vault.rootToken } },
    );
    assert.equal(made.status, 0, made.stderr);
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const entry = (name: string, path: string, key = name) => `resource "signet_entry" "it" {
  tenant    = "acme/shop"
  name      = "${name}"
  spiffe_id = "spiffe://example.org/${path}"
  match     = { "ssh-host:key" = "SHA256:${key}" }
}
`;
  const show = async (name: string) =>
    (await stage.broker.call('GET', `/v1/entries/acme.shop/${name}`, undefined, stage.site.registrar.shop))
      .status;
  const tokens = (claims: Parameters<RunIssuer['token']>[0] = {}) =>
    issuer.token(claims).then((token) => ({ TFC_WORKLOAD_IDENTITY_TOKEN: token }));
  const phase = (terraform_run_phase: string) => tokens({ terraform_run_phase });

  for (const driver of drivers())
    describe(`with ${driver.name}`, () => {
      const on = driver.name.toLowerCase();
      let w: Workspace;
      before(async function () {
        if (driver.program === undefined) this.skip();
        w = await stage.open(driver, { SIGNET_DELEGATION: 'shop-prod' });
      });

      it('as HCP Terraform runs it: a token for the plan, another for the apply, and each phase spends one', async () => {
        const name = `web-hcp-${on}`;
        const plan = async (env: Record<string, string>) => {
          const ran = await w.run(['plan', '-out=plan', ...PLAIN], env);
          assert.equal(ran.code, 0, ran.err);
        };
        const apply = async (env: Record<string, string>) => {
          const ran = await w.run(['apply', ...PLAIN, 'plan'], env);
          assert.equal(ran.code, 0, ran.err);
        };
        await w.write(entry(name, `ns/shop/web/${on}`, `hcp-${on}`));
        await plan(await phase('plan'));
        await apply(await phase('apply'));
        assert.equal(await show(name), 200);
        await plan(await phase('plan'));
        assert.ok(await w.isDone(await phase('plan')));
        await w.write('');
        await plan(await phase('plan'));
        await apply(await phase('apply'));
        assert.equal(await show(name), 404);
      });

      it('as a CI runs it, with a command that gives each part of it a token of its own', async () => {
        const name = `web-ci-${on}`;
        const given = await Promise.all(Array.from({ length: 6 }, () => issuer.token()));
        for (const [i, token] of given.entries()) await writeFile(join(w.dir, `token-${i}`), token);
        const script = `#!/bin/sh\nfor f in ${w.dir}/token-*; do cat "$f" && rm "$f" && exit 0; done; exit 1\n`;
        await writeFile(join(w.dir, 'next-token'), script);
        await chmod(join(w.dir, 'next-token'), 0o755);
        const command = `  token_command = ["${w.dir}/next-token"]`;
        await w.write(entry(name, `ns/shop/web/${on}`, `ci-${on}`), command);
        await w.apply();
        const left = async () => (await readdir(w.dir)).filter((file) => file.startsWith('token-')).length;
        assert.equal(await left(), 5, 'a plan that has nothing to look at spends none');
        await w.write(entry(name, `ns/shop/web/${on}`, `ci-two-${on}`), command);
        await w.apply();
        assert.equal(await left(), 3, 'one to look, one to write');
        await w.write('', command);
        await w.apply();
        assert.equal(await left(), 1);
        assert.equal(await show(name), 404);
        const spent = await w.run(['plan', ...PLAIN], {});
        assert.equal(spent.code, 0, 'it needs none');
        await w.write(entry(name, `ns/shop/web/${on}`), `  token_command = ["/bin/false"]`);
        assert.match(
          await w.refused(),
          /The run has no token .*The command \/bin\/false failed.* about token_command of the provider/,
        );
      });

      describe('is refused, at what it is about, with', () => {
        beforeEach(async () => {
          w = await stage.open(driver, { SIGNET_DELEGATION: 'shop-prod' });
        });
        const inside = (label: string) =>
          entry(`web-${label}-${on}`, `ns/shop/web/${on}/${label}`, `${label}-${on}`);
        const cases: [
          what: string,
          configuration: string,
          env: () => Promise<Record<string, string>>,
          wanted: RegExp,
        ][] = [
          [
            'another workspace',
            inside('a'),
            () => tokens({ terraform_workspace_id: 'ws-other' }),
            /Nothing is delegated to this run .*run_not_delegated.* about delegation of the provider/,
          ],
          [
            'a token of the plan phase',
            inside('b'),
            () => phase('plan'),
            /may not do that .*plan phase looks.*vault_denied/,
          ],
          [
            'an expired token',
            inside('c'),
            () => tokens(past()),
            /has run out .*run_token_expired\) It is about delegation of the provider/,
          ],
          [
            'a token for others',
            inside('d'),
            () => tokens({ aud: 'vault' }),
            /The token is for others .*run_token_audience/,
          ],
          [
            'an ID outside of its prefix',
            entry(`web-e-${on}`, 'ns/shop/sa/orders'),
            () => tokens(),
            /: spiffe_id = "spiffe:\/\/example.org\/ns\/shop\/sa\/orders" The delegation is for IDs below ns\/shop\/web\//,
          ],
          [
            'a name outside of its own',
            entry(`api-${on}`, `ns/shop/web/${on}`),
            () => tokens(),
            /: name = "api-\w+" The delegation is for names that begin with web-/,
          ],
          [
            'another tenant',
            inside('f').replace('"acme/shop"', '"globex"'),
            () => tokens(),
            /: tenant = "globex" The delegation is for the tenant acme\/shop/,
          ],
          ['no token', inside('g'), async () => ({}), /The run has no token .*TFC_WORKLOAD_IDENTITY_TOKEN/],
          [
            'no delegation of that name',
            inside('h'),
            async () => ({ ...(await tokens()), SIGNET_DELEGATION: 'none' }),
            /Nothing is delegated .*no delegation none/,
          ],
          [
            'what is no token',
            inside('i'),
            async () => ({ TFC_WORKLOAD_IDENTITY_TOKEN: 'no token' }),
            /That is not a token .*TFC_WORKLOAD_IDENTITY_TOKEN holds none.* about delegation of the provider/,
          ],
        ];
        for (const [what, configuration, env, wanted] of cases)
          it(what, async () => {
            await w.write(configuration);
            assert.match(await w.refused(await env()), wanted);
            const name = /name {6}= "(.*)"/.exec(configuration)?.[1] ?? '';
            assert.equal(await show(name), 404);
          });
        it('a token that was shown before', async () => {
          const env = await tokens();
          const path = `${on}/twice`;
          await w.write(
            entry(`web-twice-${on}`, `ns/shop/web/${path}`),
            '  token_variable = "TFC_WORKLOAD_IDENTITY_TOKEN"',
          );
          await w.apply(env);
          const told = await w.refused(env);
          assert.match(
            told,
            /: token_variable = "TFC_WORKLOAD_IDENTITY_TOKEN" It is good once|was shown before .*run_token_spent\) It is about token_variable of the provider/,
          );
          await w.write('');
          const ran = await w.run(['plan', '-refresh=false', '-out=plan', ...PLAIN], {});
          assert.equal(ran.code, 1, 'configuring needs a token to be there');
          await w.run(['plan', '-out=plan', ...PLAIN], await phase('plan'));
          assert.equal((await w.run(['apply', ...PLAIN, 'plan'], await tokens())).code, 0);
        });
      });

      it('leaves no token that is good for anything in state, plan or what was printed, with every word traced', async () => {
        const [looking, writing] = [
          await issuer.token({ terraform_run_phase: 'plan' }),
          await issuer.token(),
        ];
        const trace = (file: string) => ({ TF_LOG: 'trace', TF_LOG_PATH: join(w.dir, file) });
        await w.write(entry(`web-secret-${on}`, `ns/shop/web/${on}/secret`, `secret-${on}`));
        await w.run(['plan', '-out=plan', ...PLAIN], {
          TFC_WORKLOAD_IDENTITY_TOKEN: looking,
          ...trace('plan.log'),
        });
        const ran = await w.run(['apply', ...PLAIN, 'plan'], {
          TFC_WORKLOAD_IDENTITY_TOKEN: writing,
          ...trace('apply.log'),
        });
        assert.equal(ran.code, 0, ran.err);
        const files = await readdir(w.dir);
        assert.ok(
          files.includes('plan') && files.includes('apply.log') && files.includes('terraform.tfstate'),
        );
        const texts = await Promise.all(
          ['plan', 'plan.log', 'apply.log', 'terraform.tfstate'].map((file) =>
            readFile(join(w.dir, file), 'latin1'),
          ),
        );
        for (const text of [...texts, w.printed()]) {
          assert.ok(!text.includes(looking) && !text.includes(writing));
          assert.doesNotMatch(text, /hv[sbr]\.[A-Za-z0-9_-]{20,}/);
          assert.doesNotMatch(text, /PRIVATE KEY/);
        }
        assert.match(texts[2] ?? '', /terraform-provider-signet/, 'the log tells of the run');
        await w.write('');
        await w.run(['plan', '-out=plan', ...PLAIN], await phase('plan'));
        assert.equal((await w.run(['apply', ...PLAIN, 'plan'], await tokens())).code, 0);
      });

      it('that was cut off is mended by the next', async () => {
        const name = `web-cut-${on}`;
        const made = hostEntry(name, { 'ssh-host:key': `SHA256:cut-${on}` });
        const path = `signet/data/entries/acme.shop/${name}`;
        const spiffe_id = `spiffe://example.org/ns/shop/web/${on}/cut`;
        // As a broker that was killed after its first write leaves it.
        const pending = { ...made, spiffe_id, networks: [], federates_with: [], state: 'pending' };
        await stage.site.vault.request('POST', path, { data: pending, options: { cas: 0 } });
        await w.write(entry(name, `ns/shop/web/${on}/cut`, `cut-${on}`));
        await w.apply(await tokens());
        assert.equal(await show(name), 200);
        assert.equal((await stage.site.vault.request('GET', path)).body.data.data.state, 'active');
        // And as one whose answer nobody heard: it is there, and in no state.
        await w.run(['state', 'rm', 'signet_entry.it'], {});
        await w.apply(await tokens());
        assert.ok(await w.isDone(await phase('plan')));
      });
    });
});
