import assert from 'node:assert/strict';
import { until } from '../../broker/site.ts';
import { drivers } from '../provider/workspace.ts';
import { openStage, pluginsOf, type Stage } from './stage.ts';

const MACHINES = 60;

describe('an apply that is killed half-way', function () {
  this.timeout(180_000);
  let stage: Stage;
  before(async () => void (stage = await openStage()));
  after(() => stage?.[Symbol.asyncDispose]());

  for (const driver of drivers())
    it(`is completed by the next one, by ${driver.name}`, async function () {
      if (driver.program === undefined) this.skip();
      const token = stage.site.registrar.shop;
      const w = await stage.open(driver, { VAULT_TOKEN: token });
      const on = driver.name.toLowerCase();
      await w.write(`resource "signet_host" "vm" {
  count         = ${MACHINES}
  tenant        = "acme/shop"
  name          = "${on}-\${count.index}"
  spiffe_id     = "spiffe://example.org/ns/shop/host/${on}-\${count.index}"
  join          = true
  appear_within = "1h"
}
`);
      const registered = async () => {
        const { body } = await stage.broker.call('GET', '/v1/entries?tenant=acme.shop', undefined, token);
        return (body.entries as { name: string }[]).filter(({ name }) => name.startsWith(`${on}-`)).length;
      };
      const tofu = await w.start(['apply', '-auto-approve', '-input=false', '-no-color']);
      await until(async () => (await registered()) >= 5, 60_000);
      const plugins = await pluginsOf(tofu.pid);
      process.kill(tofu.pid, 'SIGKILL');
      for (const pid of plugins) process.kill(pid, 'SIGKILL');
      assert.equal((await tofu.ended).signal, 'SIGKILL');
      const half = await registered();
      assert.ok(half < MACHINES, `${half} were registered when it was killed`);
      await w.apply();
      assert.equal(await registered(), MACHINES);
      assert.equal(await w.isDone(), true);
      const gone = await w.run(['destroy', '-auto-approve', '-input=false', '-no-color']);
      assert.equal(gone.code, 0, gone.err);
      assert.equal(await registered(), 0);
    });
});
