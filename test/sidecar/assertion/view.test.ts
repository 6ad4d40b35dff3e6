import assert from 'node:assert/strict';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createAssertions } from '../../../sidecar/assertion/index.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { authority, svid } from '../support.ts';
import { ID, payloadOf, type Service, service, user } from './world.ts';

const claims = (...names: readonly string[]) => ({
  settings: { claims: names, assertion: false, transaction: false },
});

/** Has one user's request come to an app. */
async function told(
  options: Parameters<typeof service>[2],
): Promise<[user: string | null, claims: string | null, Service]> {
  const ca = await authority();
  await using orders = await service(ca, 'orders', options);
  await using web = await service(ca, 'web', { upstreams: [orders] });
  assert.match(await web.call('orders'), /^HTTP\/1.1 200/);
  return [orders.told('x-signet-user'), orders.told('x-signet-claims'), orders];
}

const decoded = (text: string | null) => JSON.parse(Buffer.from(text!, 'base64url').toString());

describe('what the app is told', () => {
  it('of the user: subject and issuer as a structured field, and the claims that are chosen', async () => {
    const [name, value] = await told({
      ...claims('email', 'groups', 'absent'),
      user: user({ claims: { email: 'a@b', groups: ['x', { y: 1 }], secret: 's', sub: 'alice' } }),
    });
    assert.equal(name, '"alice";iss="https://idp.example"');
    assert.deepEqual(decoded(value), { email: 'a@b', groups: ['x', { y: 1 }] });
  });

  it('nothing of a user where there is none, and nothing signed where that is off', async () => {
    const [name, value, orders] = await told(claims('email'));
    assert.deepEqual([name, value], [null, null]);
    assert.doesNotMatch(orders.app.received, /x-signet-(?!caller)/i);
    assert.deepEqual(orders.jwks(), { keys: [] });
  });

  it('of a user whose names hold what could break a line: in an encoding that cannot', async () => {
    const [name, value, orders] = await told({
      ...claims('name'),
      user: user({
        subject: 'a"\\b\r\nX-Signet-Caller: spiffe://example.org/admin\r\n\r\nGET / HTTP/1.1',
        issuer: 'https://idp.example/ü%',
        claims: { name: 'ü\r\nx-signet-user: root' },
      }),
    });
    assert.equal(
      name,
      '%"a%22\\b%0d%0aX-Signet-Caller: spiffe://example.org/admin%0d%0a%0d%0aGET / HTTP/1.1";iss=%"https://idp.example/%c3%bc%25"',
    );
    assert.deepEqual(decoded(value), { name: 'ü\r\nx-signet-user: root' });
    assert.deepEqual(orders.app.received.match(/^(?:x-signet-[^:]*|GET \S*)/gim), [
      'GET /of/web',
      'x-signet-caller',
      'x-signet-user',
      'x-signet-claims',
    ]);
  });

  it('of a user that is too long for a header: less, and what was left out is counted', async () => {
    const [name, value, orders] = await told({
      ...claims('long', 'short', '__proto__'),
      user: user({ claims: { long: 'x'.repeat(2000), short: 1 } }),
    });
    assert.equal(name, '"alice";iss="https://idp.example"');
    assert.deepEqual(decoded(value), { short: 1 });
    assert.match(orders.metrics.render(), /^signet_user_fields_left_out_total 1$/m);
  });

  it('of a user whose name is too long for a header: nothing, nor what it claims', async () => {
    const [name, value, orders] = await told({
      ...{ settings: { claims: ['email'], transaction: false } },
      user: user({ subject: 'a'.repeat(1025), claims: { email: 'a@b' } }),
    });
    assert.deepEqual([name, value], [null, null]);
    const { user: stated, claims: more } = payloadOf(orders.told('x-signet-assertion'));
    assert.deepEqual([stated, more], [undefined, undefined]);
    assert.match(orders.metrics.render(), /^signet_user_fields_left_out_total 1$/m);
  });

  it('in an assertion that others verify by the published keys', async () => {
    const ca = await authority();
    await using orders = await service(ca, 'orders', {
      settings: { claims: ['email'], transaction: false },
      user: user({ claims: { email: 'a@b', other: 1 } }),
    });
    await using web = await service(ca, 'web', { upstreams: [orders] });
    await web.call('orders');
    const keys = createLocalJWKSet(orders.jwks() as Parameters<typeof createLocalJWKSet>[0]);
    const { payload, protectedHeader } = await jwtVerify(orders.told('x-signet-assertion')!, keys, {
      ...{
        issuer: ID('orders'),
        audience: ID('orders'),
        subject: ID('web'),
        typ: 'signet-assertion+jwt',
        algorithms: ['ES256'],
      },
    });
    const { iat, exp, ...said } = payload;
    assert.equal(exp! - iat!, 30);
    assert.match(protectedHeader.kid!, /^[\w-]{43}$/);
    assert.deepEqual(said, {
      ...{
        iss: ID('orders'),
        sub: ID('web'),
        aud: ID('orders'),
        decision: 'd-0',
        method: 'GET',
        path: '/of/web',
      },
      ...{ user: { iss: 'https://idp.example', sub: 'alice' }, claims: { email: 'a@b' } },
    });
  });

  it('by keys that stay for five minutes after they were replaced', async () => {
    const ca = await authority();
    let now = new Date();
    const credentials = createCredentials();
    using assertions = createAssertions({
      ...{
        settings: { claims: [], assertion: true, transaction: false },
        credentials,
        metrics: createMetrics(),
      },
      clock: { now: () => now },
    });
    const kids = () => assertions.jwks.keys.map(({ kid }) => kid);
    const passed: string[][] = [kids()];
    for (let i = 0; i < 2; i++) {
      credentials.publish(await svid(ca.issuer, ca.root, ID('orders')));
      passed.push(kids());
    }
    credentials.withdraw();
    now = new Date(now.getTime() + 299_000);
    passed.push(kids());
    now = new Date(now.getTime() + 1_000);
    passed.push(kids());
    assert.deepEqual(
      passed.map(({ length }) => length),
      [0, 1, 2, 2, 0],
    );
    assert.equal(passed[2]![1], passed[1]![0]);
  });

  it('in an assertion of the key before, after a rotation', async () => {
    const ca = await authority();
    await using orders = await service(ca, 'orders');
    await using web = await service(ca, 'web', { upstreams: [orders] });
    await web.call('orders');
    const before = orders.told('x-signet-assertion')!;
    orders.credentials.publish(await svid(ca.issuer, ca.root, ID('orders')));
    await web.call('orders');
    const after = orders.told('x-signet-assertion')!;
    assert.notEqual(before.split('.')[0], after.split('.')[0]);
    const keys = createLocalJWKSet(orders.jwks() as Parameters<typeof createLocalJWKSet>[0]);
    for (const each of [before, after]) await jwtVerify(each, keys, { audience: ID('orders') });
    assert.equal(payloadOf(after)['sub'], ID('web'));
  });
});
