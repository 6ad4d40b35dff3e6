import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { after, before, describe, it } from 'mocha';
import { signet } from '../../cli/signet.ts';
import { encoded, signedBy, testKey } from '../../sidecar/users/issuer.ts';
import { RUN, RunIssuer } from '../../support/run-issuer.ts';
import { hostEntry, openSite, type Site, type TestBroker, until } from '../site.ts';

const seconds = () => Math.floor(Date.now() / 1_000);
const HOST_KEY = 'SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8';

/** What is noted of a token that ran out years ago. */
const OLD = `runs/400000/${'a'.repeat(64)}`;

describe('a run of Terraform, with the real Vault and a real OIDC issuer', () => {
  let site: Site;
  let issuer: RunIssuer;
  let broker: TestBroker;
  let second: TestBroker;

  const delegate = (...args: string[]) =>
    signet(['delegate', ...args], {
      env: { VAULT_ADDR: site.vault.address, VAULT_TOKEN: site.vault.rootToken },
    });
  const shopProd = (...more: string[]) => [
    ...['terraform', 'shop-prod', '--tenant', 'acme/shop', '--prefix', 'ns/shop/web/', '--entries', 'web-'],
    ...['--organization', RUN.terraform_organization_id, '--project', RUN.terraform_project_id],
    ...['--workspace', RUN.terraform_workspace_id, '--network', '127.0.0.0/8'],
    ...['--issuer', issuer.url, '--jwks-url', issuer.jwksUrl, ...more],
  ];
  const redeem = (token: string, name = 'shop-prod', at = broker) =>
    at.call('POST', `/v1/delegations/${name}`, { token });
  const refused = async (token: string, name = 'shop-prod') => {
    const { status, body } = await redeem(token, name);
    return `${status} ${body.code}`;
  };
  const entry = (
    name: string,
    path: string,
    match: Readonly<Record<string, string>> = { 'ssh-host:key': HOST_KEY },
  ) => hostEntry(name, match, { spiffe_id: `spiffe://example.org/${path}` });

  before(async function () {
    this.timeout(60_000);
    [site, issuer] = await Promise.all([openSite(), RunIssuer.start()]);
    [broker, second] = await Promise.all([site.startBroker(), site.startBroker()]);
    const made = await delegate(...shopProd());
    assert.equal(made.status, 0, made.stderr);
    const old = await site.vault.request('POST', `signet/data/${OLD}`, { data: {}, options: { cas: 0 } });
    assert.equal(old.status, 200);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  it('registers below its prefix with the token of its apply phase, and no further', async () => {
    const { status, body } = await redeem(await issuer.token());
    assert.equal(status, 201, JSON.stringify(body));
    assert.deepEqual([body.access, body.tenant, body.id_prefixes], ['write', 'acme/shop', ['ns/shop/web/']]);
    assert.ok(Date.parse(body.expires_at) <= Date.now() + 30 * 60_000);
    const call = async (method: string, path: string, sent?: unknown) => {
      const answer = await broker.call(method, path, sent, body.token);
      return `${answer.status} ${answer.body?.code ?? ''}`.trim();
    };
    assert.equal(await call('POST', '/v1/entries', entry('web-one', 'ns/shop/web/one')), '201');
    assert.equal(await call('GET', '/v1/entries/acme.shop/web-one'), '200');
    const other = { 'join:entry': 'acme/shop/web-two' };
    assert.equal(
      await call('POST', '/v1/entries', entry('web-two', 'ns/shop/sa/orders', other)),
      '403 vault_denied',
    );
    assert.equal(
      await call('GET', '/v1/entries/acme.shop/web-two'),
      '404 entry_not_found',
      'nothing is left of it',
    );
    const named = { 'join:entry': 'acme/shop/orders' };
    assert.equal(
      await call('POST', '/v1/entries', entry('orders', 'ns/shop/web/two', named)),
      '403 vault_denied',
    );
    const globex = { ...hostEntry('web-x', { 'join:entry': 'globex/web-x' }), tenant: 'globex' };
    assert.equal(await call('POST', '/v1/entries', globex), '403 vault_denied');
    assert.equal(await call('DELETE', '/v1/entries/acme.shop/web-one'), '204');
  });

  it('changes its own entries in place, and no further than it may register', async () => {
    const { body } = await redeem(await issuer.token());
    const put = async (name: string, sent: object) => {
      const answer = await broker.call('PUT', `/v1/entries/acme.shop/${name}`, sent, body.token);
      return `${answer.status} ${answer.body?.code ?? ''}`.trim();
    };
    const match = { 'ssh-host:key': 'SHA256:changed' };
    const made = await broker.call(
      'POST',
      '/v1/entries',
      entry('web-three', 'ns/shop/web/three', match),
      body.token,
    );
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal(await put('web-three', entry('web-three', 'ns/shop/web/four', match)), '200');
    assert.equal(await put('web-three', entry('web-three', 'ns/shop/sa/orders', match)), '403 vault_denied');
    const shown = await broker.call('GET', '/v1/entries/acme.shop/web-three', undefined, body.token);
    assert.equal(shown.body.spiffe_id, 'spiffe://example.org/ns/shop/web/four');
    const own = site.registrar.shop;
    const theirs = entry('orders', 'ns/shop/sa/orders', { 'join:entry': 'acme/shop/orders' });
    assert.equal((await broker.call('POST', '/v1/entries', theirs, own)).status, 201);
    assert.equal(await put('orders', theirs), '403 vault_denied');
  });

  it('registers services of its names, and no others; the plan phase looks at them', async () => {
    const [{ body }, plan] = [
      await redeem(await issuer.token()),
      await redeem(await issuer.token({ terraform_run_phase: 'plan' })),
    ];
    const call = async (method: string, path: string, sent?: unknown, token = body.token) => {
      const answer = await broker.call(method, `/v1/services/${path}`, sent, token);
      return `${answer.status} ${answer.body?.code ?? ''}`.trim();
    };
    const spiffe_ids = ['spiffe://example.org/ns/shop/web/one'];
    const service = { host: 'web.internal', addresses: ['10.0.0.5:8443'], spiffe_ids };
    const other = { ...service, host: 'orders.internal' };
    assert.equal(await call('PUT', 'acme.shop/web-one', service), '201');
    assert.equal(await call('GET', 'acme.shop/web-one', undefined, plan.body.token), '200');
    assert.equal(await call('PUT', 'acme.shop/web-one', service, plan.body.token), '403 vault_denied');
    assert.equal(await call('PUT', 'acme.shop/orders', other), '403 vault_denied');
    assert.equal(await call('PUT', 'globex/web-one', other), '403 vault_denied');
    assert.equal(
      await call('GET', 'acme.shop'),
      '403 vault_denied',
      'its names are some of the tenant alone',
    );
    assert.equal(await call('DELETE', 'acme.shop/web-one', undefined, plan.body.token), '403 vault_denied');
    assert.equal(await call('DELETE', 'acme.shop/web-one'), '204');
  });

  it('may be a controller of Ansible, which registers hosts and services of its names alone', async () => {
    const claims = { aud: 'signet', job_template: '42', terraform_run_phase: undefined };
    const ansible = [
      ...[
        'ansible',
        'awx-shop',
        '--tenant',
        'acme/shop',
        '--prefix',
        'ns/shop/host/',
        '--network',
        '127.0.0.0/8',
      ],
      ...['--claim', 'job_template=42', '--issuer-name', 'hcp', '--issuer', issuer.url],
      ...['--jwks-url', issuer.jwksUrl],
    ];
    const whole = await delegate(...ansible);
    assert.deepEqual([whole.status, whole.stderr.includes('--entries')], [2, true], whole.stderr);
    const made = await delegate(...ansible, '--entries', 'host-');
    assert.equal(made.status, 0, made.stderr);
    const { body } = await redeem(await issuer.token(claims), 'awx-shop');
    const call = async (method: string, path: string, sent: object) => {
      const answer = await broker.call(method, path, sent, body.token);
      return `${answer.status} ${answer.body?.code ?? ''}`.trim();
    };
    const host = (name: string, path: string) => entry(name, path, { 'ssh-host:key': `SHA256:${name}` });
    assert.equal(await call('POST', '/v1/entries', host('host-one', 'ns/shop/host/one')), '201');
    assert.equal(await call('POST', '/v1/entries', host('other', 'ns/shop/host/two')), '403 vault_denied');
    assert.equal(await call('POST', '/v1/entries', host('host-two', 'ns/shop/sa/two')), '403 vault_denied');
    const service = {
      host: 'one.hosts.internal',
      addresses: [],
      spiffe_ids: ['spiffe://example.org/ns/shop/host/one'],
    };
    assert.equal(await call('PUT', '/v1/services/acme.shop/host-one', service), '201');
    assert.equal(await call('PUT', '/v1/services/acme.shop/other', service), '403 vault_denied');
    assert.equal(
      await refused(await issuer.token({ ...claims, job_template: '43' }), 'awx-shop'),
      '403 run_not_delegated',
    );
  });

  it('only looks with the token of its plan phase', async () => {
    const { status, body } = await redeem(await issuer.token({ terraform_run_phase: 'plan' }));
    assert.deepEqual([status, body.access], [201, 'read'], JSON.stringify(body));
    const write = await broker.call('POST', '/v1/entries', entry('web-one', 'ns/shop/web/one'), body.token);
    assert.equal(`${write.status} ${write.body.code}`, '403 vault_denied');
    const gone = await broker.call('GET', '/v1/entries/acme.shop/web-none', undefined, body.token);
    assert.equal(gone.body.code, 'entry_not_found');
    const list = await broker.call('GET', '/v1/entries?tenant=acme.shop', undefined, body.token);
    assert.equal(list.body.code, 'vault_denied', 'its names are some of the tenant alone');
  });

  it('lists entries where all of the tenant are its own', async () => {
    const whole = shopProd().with(1, 'shop-whole').with(5, 'ns/shop/').with(7, '');
    const made = await delegate(...whole);
    assert.equal(made.status, 0, made.stderr);
    for (const terraform_run_phase of ['apply', 'plan']) {
      const { body } = await redeem(await issuer.token({ terraform_run_phase }), 'shop-whole');
      const list = await broker.call('GET', '/v1/entries?tenant=acme.shop', undefined, body.token);
      assert.equal(list.status, 200, JSON.stringify(list.body));
    }
  });

  it('shows a token once, at whichever broker', async () => {
    const token = await issuer.token();
    assert.equal((await redeem(token)).status, 201);
    for (const each of [broker, second]) {
      const again = await redeem(token, 'shop-prod', each);
      assert.equal(`${again.status} ${again.body.code}`, '403 run_token_spent');
    }
    const another = await issuer.token();
    const both = await Promise.all(
      Array.from({ length: 8 }, (_, i) => redeem(another, 'shop-prod', i % 2 === 0 ? broker : second)),
    );
    assert.deepEqual(both.map(({ status }) => status).sort(), [201, ...Array(7).fill(403)]);
  });

  const claims: readonly [what: string, claims: () => Readonly<Record<string, unknown>>, answer: string][] = [
    ['of another workspace', () => ({ terraform_workspace_id: 'ws-other' }), '403 run_not_delegated'],
    ['of another project', () => ({ terraform_project_id: 'prj-other' }), '403 run_not_delegated'],
    ['of another organisation', () => ({ terraform_organization_id: 'org-other' }), '403 run_not_delegated'],
    ['that names no workspace', () => ({ terraform_workspace_id: undefined }), '403 run_not_delegated'],
    [
      'with a list of workspaces',
      () => ({ terraform_workspace_id: [RUN.terraform_workspace_id] }),
      '403 run_not_delegated',
    ],
    ['of another phase', () => ({ terraform_run_phase: 'destroy' }), '403 run_not_delegated'],
    ['of no phase', () => ({ terraform_run_phase: undefined }), '403 run_not_delegated'],
    [
      'that has run out',
      () => ({ iat: seconds() - 7_200, nbf: seconds() - 7_200, exp: seconds() - 60 }),
      '401 run_token_expired',
    ],
    ['without an end', () => ({ exp: undefined }), '401 run_token_invalid'],
    ['of tomorrow', () => ({ iat: seconds() + 600, nbf: seconds() + 600 }), '401 run_token_invalid'],
    ['good for a week', () => ({ exp: seconds() + 7 * 86_400 }), '401 run_token_invalid'],
    ['for another audience', () => ({ aud: 'vault.workload.identity' }), '401 run_token_audience'],
    ['for others as well', () => ({ aud: ['signet', 'vault.workload.identity'] }), '401 run_token_audience'],
    ['for nobody', () => ({ aud: [] }), '401 run_token_audience'],
    ['without a number', () => ({ jti: undefined }), '401 run_token_invalid'],
    ['with a number that is none', () => ({ jti: 7 }), '401 run_token_invalid'],
    ['of another issuer by name', () => ({ iss: 'https://app.terraform.io' }), '401 run_token_issuer'],
    ['that is a security event', () => ({ events: {} }), '401 run_token_invalid'],
    ['bound to a key', () => ({ cnf: { jkt: 'x' } }), '401 run_token_invalid'],
  ];
  for (const [what, said, answer] of claims) {
    it(`is refused with a token ${what}`, async () => {
      assert.equal(await refused(await issuer.token(said())), answer);
    });
  }

  it('is refused with what the issuer did not sign', async () => {
    const good = await issuer.token();
    const [header = '', payload = '', signature = ''] = good.split('.');
    const head = JSON.parse(Buffer.from(header, 'base64url').toString());
    const said = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const { keys } = (await (await fetch(issuer.jwksUrl)).json()) as { keys: { kid: string }[] };
    const jwk = keys.find(({ kid }) => kid === head.kid);
    const pem = createPublicKey({ key: jwk as object, format: 'jwk' } as never).export({
      type: 'spki',
      format: 'pem',
    });
    const hmac = (input: string, secret: string | Buffer) =>
      `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    const confused = `${encoded({ ...head, alg: 'HS256' })}.${payload}`;
    const mine = testKey(head.kid, 'RS256');
    const bad = [
      `${encoded({ ...head, alg: 'none' })}.${payload}.`,
      `${encoded({ ...head, alg: 'none' })}.${payload}.${signature}`,
      `${encoded({ ...head, alg: 'NoNe' })}.${payload}.AAAA`,
      hmac(confused, pem),
      hmac(confused, JSON.stringify(jwk)),
      signedBy(mine, head, said),
      signedBy(mine, { ...head, jwk: mine.jwk }, said),
      signedBy(mine, { ...head, jku: 'http://127.0.0.1/jwks', kid: 'mine' }, said),
      signedBy(testKey(head.kid, 'ES256'), { ...head, alg: 'ES256' }, said),
      `${header}.${encoded({ ...said, terraform_workspace_id: 'ws-other' })}.${signature}`,
      `${encoded({ ...head, alg: 'PS256' })}.${payload}.${signature}`,
      `${encoded({ ...head, crit: ['exp'] })}.${payload}.${signature}`,
      `${good}.`,
      good.slice(0, -2),
      'opaque',
      '..',
      'x'.repeat(16_384),
    ];
    for (const token of bad) assert.equal(await refused(token), '401 run_token_invalid', token.slice(0, 60));
    assert.equal((await redeem(good)).status, 201, 'and the token itself was spent by none of them');
  });

  it('is refused by a delegation of another name, or of none', async () => {
    for (const name of ['other', 'shop-prod_write', '%2e%2e', 'a'.repeat(200)])
      assert.equal(await refused(await issuer.token(), name), '403 run_not_delegated', name);
  });

  it('has nothing any more once its delegation is deleted', async () => {
    const made = await delegate(...shopProd().with(1, 'shop-gone'));
    assert.equal(made.status, 0, made.stderr);
    const { body } = await redeem(await issuer.token(), 'shop-gone');
    const look = () => broker.call('GET', '/v1/entries/acme.shop/web-none', undefined, body.token);
    assert.equal((await look()).body.code, 'entry_not_found');
    const gone = await delegate('delete', 'shop-gone');
    assert.deepEqual([gone.status, gone.stdout], [0, 'deleted shop-gone\n']);
    assert.equal((await look()).body.code, 'vault_denied');
    assert.equal(await refused(await issuer.token(), 'shop-gone'), '403 run_not_delegated');
    assert.equal((await delegate('show', 'shop-gone')).status, 1);
  });

  it('is delegated to by a whole command, and within the layout', async () => {
    const widened = shopProd().filter((_, at, all) => !all.slice(at - 1, at + 1).includes('--entries'));
    const wide = await delegate(...widened);
    assert.equal(wide.status, 1);
    assert.match(wide.stderr, /Say how the names of its entries begin \(LAYOUT_CONFLICT\)/);
    const outside = await delegate(...shopProd('--prefix', 'ns/globex/'));
    assert.match(outside.stderr, /ns\/globex\/ is not below a prefix of acme\/shop \(LAYOUT_CONFLICT\)/);
    assert.equal((await delegate('terraform', 'shop-prod')).status, 2);
    const star = await delegate(...shopProd('--workspace', '*'));
    assert.deepEqual([star.status, star.stderr.includes('/claims/terraform_workspace_id')], [2, true]);
    assert.deepEqual(
      (await delegate(...shopProd())).stdout,
      'no changes\n',
      'and none of that changed anything',
    );
  });

  it('leaves no note of tokens that ran out long ago', async () => {
    await until(async () => (await site.vault.request('GET', `signet/metadata/${OLD}`)).status === 404);
    assert.doesNotMatch(broker.stderr() + second.stderr(), /run_tokens_not_cleared/);
  });

  it('leaves no token in a log', async () => {
    const token = await issuer.token();
    const { body } = await redeem(token);
    await redeem(token);
    const logged = broker.stderr() + second.stderr();
    assert.match(logged, /"event":"run_delegated"/);
    assert.match(logged, /"event":"run_refused"/);
    assert.ok(!logged.includes(body.token));
    assert.ok(!logged.includes(token.split('.')[1]!));
  });
});
