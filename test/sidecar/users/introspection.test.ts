import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createCa } from '../../support/ca.ts';
import { until } from '../sockets.ts';
import { seconds, type TestIssuer } from './issuer.ts';
import { outcome, type UsersWorld, type UsersWorldOptions, usersWorld } from './world.ts';

type Json = Readonly<Record<string, unknown>>;
const ACTIVE = { active: true, sub: 'alice', aud: 'orders', scope: 'a b' };

/** A world whose issuer is asked, and says `said` of each token. */
async function asking(
  said: () => Json | string,
  more: Json = {},
  options: UsersWorldOptions = {},
): Promise<UsersWorld & { readonly heard: string[] }> {
  const heard: string[] = [];
  const w = await usersWorld({
    ...options,
    async document(issuer, folder) {
      issuer.answer = (request, response) => void answer(request, response);
      const answer = async (request: IncomingMessage, response: ServerResponse) => {
        let form = '';
        for await (const piece of request) form += piece;
        heard.push(`${request.method} ${request.headers.authorization} ${form}`);
        const body = said();
        response.end(typeof body === 'string' ? body : JSON.stringify(body));
      };
      await writeFile(join(folder, 'secret'), 'top secret\n');
      const introspection = {
        url: `${issuer.url}/ask`,
        client_id: 'me',
        client_secret_file: 'secret',
        ...more,
      };
      return { issuers: [{ name: 'op', issuer: issuer.url, audience: 'orders', introspection }] };
    },
  });
  return { ...w, heard };
}

describe('users: an issuer that is asked', () => {
  it('is asked in the way of RFC 7662, by a connection that stays, and once for each token', async () => {
    await using w = await asking(() => ({ ...ACTIVE, exp: seconds() + 600 }));
    for (const token of ['one', 'two', 'one']) assert.equal(outcome(await w.present(token)), '200');
    const basic = `Basic ${Buffer.from('me:top+secret').toString('base64')}`;
    assert.deepEqual(w.heard, [
      `POST ${basic} token=one&token_type_hint=access_token`,
      `POST ${basic} token=two&token_type_hint=access_token`,
    ]);
    assert.deepEqual([...w.seen[0]!.scopes], ['a', 'b']);
    assert.equal(w.seen[0], w.seen[2]);
  });

  for (const [what, said, want] of [
    ['no longer active', { active: false }, '401 token_invalid'],
    ['for another audience', { ...ACTIVE, aud: 'x' }, '401 token_audience'],
    ['for no audience', { ...ACTIVE, aud: undefined }, '401 token_audience'],
    ['past its end', { ...ACTIVE, exp: 5 }, '401 token_expired'],
    ['of another issuer', { ...ACTIVE, iss: 'https://evil.example' }, '401 token_invalid'],
    ['of nobody', { ...ACTIVE, sub: undefined }, '401 token_invalid'],
    ['of another kind', { ...ACTIVE, token_type: 'DPoP' }, '401 token_invalid'],
    ['bound to a key', { ...ACTIVE, cnf: {} }, '401 token_invalid'],
    ['active, in a text', { ...ACTIVE, active: 'true' }, '503 issuer_unavailable'],
    ['nothing', '', '503 issuer_unavailable'],
    ['a list', '[]', '503 issuer_unavailable'],
  ] as [string, Json | string, string][])
    it(`may say that a token is ${what}`, async () => {
      await using w = await asking(() => said);
      assert.equal(outcome(await w.present('opaque')), want);
      assert.equal(w.seen.length, 0);
    });

  it('is asked again in time, and not remembered beyond the end of the token', async () => {
    let ahead = 0;
    const clock = { now: () => new Date(Date.now() + ahead) };
    const end = seconds() + 40;
    await using w = await asking(() => ({ ...ACTIVE, exp: end }), { cache_seconds: 300 }, { clock });
    assert.equal(outcome(await w.present('x')), '200');
    ahead = 60_000;
    assert.equal(outcome(await w.present('x')), '200');
    ahead = 71_000;
    assert.equal(outcome(await w.present('x')), '401 token_expired');
    assert.equal(w.heard.length, 1);
    ahead = 301_000;
    assert.equal(outcome(await w.present('x')), '401 token_expired');
    assert.equal(w.heard.length, 2);
  });

  it('is asked about JWTs that name it, and believed about what they say', async () => {
    await using w = await asking(() => ({ ...ACTIVE, sub: 'bob' }));
    assert.equal(outcome(await w.present(w.issuer.token({ sub: 'alice' }))), '200');
    assert.equal(w.seen[0]!.subject, 'bob');
    assert.equal(outcome(await w.present(w.issuer.token({ iss: 'https://other' }))), '401 issuer_unknown');
    assert.equal(w.heard.length, 1);
  });

  it('is shown its own tokens alone', async () => {
    await using w = await asking(() => ACTIVE, { token_prefix: 'op_' });
    assert.equal(outcome(await w.present('op_1')), '200');
    assert.equal(outcome(await w.present('other_1')), '401 token_invalid');
    // begins like a JWT and is none
    assert.equal(outcome(await w.present('eyJhbGciOiJub25lIn0.e30')), '401 token_invalid');
    assert.equal(w.heard.length, 1);
  });

  it('is asked about not more than so many tokens at once, and each of them has its answer', async () => {
    await using w = await asking(() => ACTIVE);
    const clients = await Promise.all(Array.from({ length: 10 }, () => w.dial()));
    for (const [i, client] of clients.entries())
      for (let n = 0; n < 20; n++)
        client.send(`GET /a HTTP/1.1\r\nHost: orders\r\nAuthorization: Bearer t${i}-${n}\r\n\r\n`);
    for (const client of clients) {
      await client.hears((text) => text.split('200 OK').length === 21);
      client[Symbol.dispose]();
    }
    assert.equal(w.heard.length, 200);
  });

  it('is asked once more when a connection that was kept turns out dead', async () => {
    let sockets: { destroy(): void }[] = [];
    await using w = await asking(() => ACTIVE);
    const { answer } = w.issuer;
    w.issuer.answer = (request, response) => {
      if (!sockets.includes(request.socket)) sockets.push(request.socket);
      else if (request.headers['content-length'] !== undefined && response.socket !== null) {
        // the second request on it
        request.socket.resetAndDestroy();
        return;
      }
      answer(request, response);
    };
    assert.equal(outcome(await w.present('one')), '200');
    assert.equal(outcome(await w.present('two')), '200');
    assert.equal(sockets.length, 2);
    sockets = [];
  });
});

describe('users: an issuer behind TLS', () => {
  it('has to be the one it says, by the authority that is named for it', async () => {
    const ca = await createCa();
    const leaf = await ca.leaf('', { sans: [{ type: 'dns', value: 'localhost' }] });
    const stranger = await createCa();
    const server = createServer({
      key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: leaf.pem,
    });
    let issuer: TestIssuer;
    server.on('request', (_, response) =>
      response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) })),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `https://localhost:${(server.address() as AddressInfo).port}/jwks`;
    try {
      for (const [authority, want] of [
        [ca, '200'],
        [stranger, '503 issuer_unavailable'],
      ] as const) {
        await using w = await usersWorld({
          async document(its, folder) {
            issuer = its;
            await writeFile(join(folder, 'ca.pem'), authority.pem);
            return { issuers: [its.settings({ jwks: { url, ca_file: 'ca.pem' } })] };
          },
        });
        await until(() => w.logged.some((line) => /"user_keys/.test(line)));
        assert.equal(outcome(await w.present(w.issuer.token())), want, w.logged.join(''));
      }
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
