import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { signet } from '../../cli/signet.ts';
import { RUN, RunIssuer } from '../../support/run-issuer.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, pluginsOf, type Stage, type Workspace } from './stage.ts';

const PLAIN = ['-input=false', '-no-color'];
const TRACE = { TF_LOG: 'trace', TF_LOG_PATH: 'trace.log' };

describe('secrets of a run of the provider', function () {
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

  const host = (name: string, ttl = '15m') => `variable "run" {
  type      = string
  default   = null
  ephemeral = true
}
resource "signet_host" "web" {
  tenant    = "acme/shop"
  name      = "${name}"
  spiffe_id = "spiffe://example.org/ns/shop/web/${name}"
  join      = true
  ttl       = "${ttl}"
}
ephemeral "signet_join" "code" {
  host = signet_host.web.id
}
resource "terraform_data" "hand-over" {
  triggers_replace = signet_host.web.ttl
  provisioner "local-exec" {
    command     = "printf '%s\\\\n' \\"$CODE\\" >> \\"$KEPT\\""
    environment = { CODE = ephemeral.signet_join.code.code }
  }
}
`;

  for (const driver of drivers())
    it(`are in no state, plan, log and output of ${driver.name}`, async function () {
      if (driver.program === undefined) this.skip();
      const name = `web-${driver.name.toLowerCase()}`;
      const kept = join(stage.site.dir, `codes-${name}`);
      const w = await stage.open(driver, { KEPT: kept, ...TRACE });
      const secrets: string[] = [];
      const shown = async (claims = {}) => {
        const token = await issuer.token(claims);
        secrets.push(token, ...token.split('.').slice(1));
        return token;
      };
      const delegated = async (claims = {}) => ({
        SIGNET_DELEGATION: 'shop-prod',
        TFC_WORKLOAD_IDENTITY_TOKEN: await shown(claims),
      });
      const ok = async (args: readonly string[], env: Record<string, string>) => {
        const [command = '', ...rest] = args;
        const ran = await w.run([command, ...PLAIN, ...rest], env);
        assert.equal(ran.code, 0, ran.out + ran.err);
      };
      await w.write(host(name));
      await ok(['plan', '-out=first.plan'], await delegated({ terraform_run_phase: 'plan' }));
      await ok(['apply', 'first.plan'], await delegated());
      // by attributes, of ephemeral variables: any other stands in the plan's file
      const run = { SIGNET_DELEGATION: 'shop-prod', TF_VAR_run: await shown() };
      await w.write(host(name, '1h'), '  token = var.run');
      await ok(['plan', '-out=second.plan'], run);
      assert.notEqual((await w.run(['apply', ...PLAIN, 'second.plan'], run)).code, 0, 'the plan spent it');
      const operator = { VAULT_TOKEN: stage.site.registrar.shop };
      secrets.push(operator.VAULT_TOKEN);
      await w.write(host(name, '1h'), '  vault_token = var.run');
      const own = { TF_VAR_run: operator.VAULT_TOKEN };
      await ok(['plan', '-out=third.plan'], own);
      await ok(['apply', 'third.plan'], own);
      await crash(w, await delegated());
      await ok(['destroy', '-auto-approve'], operator);
      secrets.push(...(await readFile(kept, 'utf8')).trim().split('\n'));
      assert.equal(secrets.length, 4 * 3 + 1 + 2, 'four runs, the operator, and two codes');
      assert.ok(secrets.every((each) => each.length >= 16));
      const left = await allIn(w.dir);
      assert.ok(left.size >= 9, [...left.keys()].join());
      for (const [file, text] of [...left, ['what was printed', w.printed()] as const]) {
        const found = secrets.filter((each) => text.includes(each)).length;
        assert.equal(found, 0, `${file} holds ${found} of them`);
        assert.doesNotMatch(text, /\bhv[sbr]\.[\w-]{20,}/, `${file} holds a token of Vault`);
      }
    });
});

/** The provider dies while it waits for a broker that says nothing. */
async function crash(w: Workspace, env: Record<string, string>): Promise<void> {
  const asked = Promise.withResolvers<void>();
  const silent = createServer((socket) => {
    socket.on('error', () => {});
    asked.resolve();
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const tofu = await w.start(['plan', ...PLAIN], { ...env, SIGNET_BROKER_URL: `https://127.0.0.1:${port}` });
  try {
    await asked.promise;
    for (const pid of await pluginsOf(tofu.pid)) process.kill(pid, 'SIGABRT');
    assert.notEqual((await tofu.ended).code, 0);
    await writeFile(join(w.dir, 'crash'), tofu.stdout() + tofu.stderr());
    assert.match(tofu.stderr(), /plugin/i);
  } finally {
    silent.close();
  }
}

/** Every file that is left, and what is packed in the plans. */
async function allIn(dir: string): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith('terraform-provider-')) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    all.set(file, bytes.toString('latin1'));
    if (entry.name.endsWith('.plan'))
      for (const [name, text] of unpacked(bytes)) all.set(`${file}: ${name}`, text);
  }
  return all;
}

/** The files in a ZIP archive, by its central directory. */
function unpacked(zip: Buffer): Map<string, string> {
  const files = new Map<string, string>();
  const mark = Buffer.from('PK\x01\x02');
  for (let at = zip.indexOf(mark); at >= 0; at = zip.indexOf(mark, at + 46)) {
    const [method, size, length] = [
      zip.readUInt16LE(at + 10),
      zip.readUInt32LE(at + 20),
      zip.readUInt16LE(at + 28),
    ];
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const data = zip.subarray(start, start + size);
    const name = zip.toString('utf8', at + 46, at + 46 + length);
    files.set(name, (method === 8 ? inflateRawSync(data) : data).toString('latin1'));
  }
  assert.ok(files.has('tfplan'));
  return files;
}
