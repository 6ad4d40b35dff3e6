import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createStage, type Stage } from '../identity/stage.ts';
import { ORDERS } from '../support.ts';
import { TestIssuer } from './issuer.ts';

const ALLOW_ANYBODY = {
  ...{ name: 'open', level: 'application', target: ORDERS, effect: 'allow', mode: 'enforce' },
  when: { caller: { is: 'anonymous' } },
};

describe('users: the sidecar process', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await createStage();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  it('lets pass whom an issuer knows, reads its file again on SIGHUP, and tells nobody a token', async () => {
    await using issuer = await TestIssuer.start();
    const app = createServer(
      (request, response) => void response.end(request.headers.authorization ?? 'nobody'),
    );
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const place = `127.0.0.1:${(app.address() as AddressInfo).port}`;
    const [users, policy] = [join(stage.dir, 'users.json'), join(stage.dir, 'policy.json')];
    const write = (user: string) =>
      writeFile(
        users,
        JSON.stringify({ issuers: [issuer.settings()], routes: [{ path: { starts: '/orders' }, user }] }),
      );
    await write('required');
    await writeFile(policy, JSON.stringify([ALLOW_ANYBODY]));
    try {
      const sidecar = await stage.sidecar({
        SIGNET_MODE: 'service',
        SIGNET_INBOUND: `127.0.0.1:0->${place} http:127.0.0.1:0->${place}`,
        SIGNET_POLICY_FILE: policy,
        SIGNET_USERS: users,
        SIGNET_LOG_LEVEL: 'debug',
      });
      await sidecar.waitForEvent('ready');
      const { address } = await sidecar.waitForEvent('listening', (line) => line['protocol'] === 'http');
      const admin = await sidecar.addressOf('admin');
      const ask = (token?: string) =>
        fetch(
          `http://${address}/orders/7`,
          token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
        );
      const without = await ask();
      assert.deepEqual(
        [without.status, without.headers.get('www-authenticate')],
        [401, 'Bearer realm="signet"'],
      );
      const token = issuer.token();
      assert.equal(await (await ask(token)).text(), `Bearer ${token}`);
      const expired = issuer.token({ iat: 1, exp: 2 });
      const refused = await ask(expired);
      assert.deepEqual(
        [refused.status, ((await refused.json()) as { code: string }).code],
        [401, 'token_expired'],
      );

      const status = (await (await fetch(`http://${admin}/status`)).json()) as {
        users: { issuers: { name: string; keys: number }[] };
      };
      assert.deepEqual(
        status.users.issuers.map(({ name, keys }) => [name, keys]),
        [['staff', 1]],
      );
      await write('optional');
      sidecar.send('SIGHUP');
      await sidecar.waitForEvent('reload');
      for (let answer = await ask(); answer.status !== 200; answer = await ask())
        assert.equal(answer.status, 401);
      const metrics = async () => (await fetch(`http://${admin}/metrics`)).text();
      let text = '';
      for (
        let i = 0;
        !text.includes('signet_users_total{code="token_expired",issuer="staff"} 1') && i < 100;
        i++
      ) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        text = await metrics();
      }
      assert.match(text, /^signet_users_total\{code="ok",issuer="staff"\} 1$/m);
      assert.match(text, /^signet_users_total\{code="token_expired",issuer="staff"\} 1$/m);
      await sidecar.stop();
      const audit = await readFile(join(stage.dir, 'audit.jsonl'), 'utf8');
      assert.match(audit, /"type":"refused","code":"token_expired"/);
      const said = audit + sidecar.stderr() + sidecar.stdout() + text;
      for (const part of [...token.split('.'), ...expired.split('.')]) assert.ok(!said.includes(part));
    } finally {
      app.closeAllConnections();
      app.close();
    }
  });

  it('is not ready while it has never understood its file of users', async () => {
    const [users, policy] = [join(stage.dir, 'users.json'), join(stage.dir, 'policy.json')];
    await writeFile(users, '{}');
    await writeFile(policy, '[]');
    const sidecar = await stage.sidecar({
      ...{ SIGNET_MODE: 'service', SIGNET_INBOUND: '127.0.0.1:0->127.0.0.1:9' },
      ...{ SIGNET_POLICY_FILE: policy, SIGNET_USERS: users },
    });
    const line = await sidecar.waitForEvent('users_refused');
    assert.deepEqual(line['defects'], [{ pointer: '/issuers', message: 'is missing' }]);
    const admin = await sidecar.addressOf('admin');
    await sidecar.waitForEvent('svid');
    const unready = await fetch(`http://${admin}/readyz`);
    assert.equal(unready.status, 503);
    assert.ok(((await unready.json()) as { missing: string[] }).missing.includes('users'));
    await writeFile(
      users,
      '{"issuers":[{"name":"a","issuer":"a","audience":"b","jwks":{"url":"http://127.0.0.1:9/"}}]}',
    );
    await sidecar.waitForEvent('ready');
    await sidecar.stop();
  });
});
