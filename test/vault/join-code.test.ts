import assert from 'node:assert/strict';
import { expectOk, type Lab, openLab } from './lab.ts';

describe('a broker, on a real Vault,', () => {
  let lab: Lab;
  let token: string;
  before(async () => {
    lab = await openLab();
    token = await lab.brokerToken();
  });
  after(() => lab[Symbol.asyncDispose]());

  const call = (method: string, path: string, body?: unknown, wrapTtl?: string) =>
    lab.vault.request(method, path, body, { token, ...(wrapTtl === undefined ? {} : { wrapTtl }) });

  describe('and join codes', () => {
    const path = 'signet/data/joins/acme.shop/one';
    let registrar: string;
    before(async () => {
      registrar = await lab.tokenOf('signet-registrar-acme.shop');
      await expectOk(
        lab.vault.request(
          'POST',
          path,
          { data: { entry: 'acme/shop/orders', id: 'one' }, options: { cas: 0 } },
          { token: registrar },
        ),
      );
    });
    const wrapped = async () => {
      const answer = await expectOk(
        lab.vault.request('GET', path, undefined, { token: registrar, wrapTtl: '60s' }),
      );
      return String(answer.body.wrap_info.token);
    };

    for (const [method, at] of [
      ['GET', path],
      ['GET', 'signet/metadata/joins/acme.shop?list=true'],
      ['GET', 'signet/metadata/joins/acme.shop/one'],
      ['GET', 'signet/subkeys/joins/acme.shop/one'],
      ['POST', path],
      ['DELETE', path],
    ] as const) {
      it(`cannot be made by it: ${method} ${at}`, async () => {
        const body = method === 'POST' ? { data: {}, options: { cas: 1 } } : undefined;
        assert.equal((await call(method, at, body, '60s')).status, 403);
        assert.equal((await call(method, at, body)).status, 403);
      });
    }
    it('are looked up and unwrapped with the code alone, so the broker needs no right for it', async () => {
      const code = await wrapped();
      const looked = await lab.vault.request('POST', 'sys/wrapping/lookup', { token: code }, { token: '' });
      assert.equal(looked.body.data.creation_path, path);
      const opened = await lab.vault.request('POST', 'sys/wrapping/unwrap', undefined, { token: code });
      assert.deepEqual(opened.body.data.data, { entry: 'acme/shop/orders', id: 'one' });
      const again = await lab.vault.request('POST', 'sys/wrapping/unwrap', undefined, { token: code });
      assert.equal(again.status, 400);
    });
    it('are not unwrapped as a parameter under its own token, which it has no right to', async () => {
      assert.equal((await call('POST', 'sys/wrapping/unwrap', { token: await wrapped() })).status, 403);
    });
    it('name another path when somebody wraps the same words himself', async () => {
      const fake = await expectOk(
        lab.vault.request(
          'POST',
          'sys/wrapping/wrap',
          { entry: 'acme/shop/orders', id: 'one' },
          { wrapTtl: '60s' },
        ),
      );
      assert.equal(fake.body.wrap_info.creation_path, 'sys/wrapping/wrap');
    });
  });
});
