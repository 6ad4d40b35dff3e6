import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { createVault, VaultError, type VaultErrorCode, withToken } from '../../../lib/adapter/vault.ts';
import { InputError } from '../../../lib/errors.ts';
import { Secret } from '../../../lib/secret.ts';
import { createCa } from '../../support/ca.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const TOKEN = new Secret('hvs.very-secret');

describe('the Vault adapter', () => {
  let handler: Handler;
  let connections = 0;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    handler(request, response, body);
  });
  server.on('connection', () => connections++);
  let address: string;
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const answer =
    (status: number, body?: unknown): Handler =>
    (_request, response) =>
      void response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(body === undefined ? '' : JSON.stringify(body));
  const failing = async (
    options: Partial<Parameters<typeof createVault>[0]> = {},
    call: object = {},
  ): Promise<VaultError> => {
    using vault = createVault({ address, ...options });
    try {
      await vault.request(
        'POST',
        'auth/token/create/role',
        { secret: 'body-secret' },
        { token: TOKEN, ...call },
      );
    } catch (error) {
      assert.ok(error instanceof VaultError, String(error));
      return error;
    }
    throw new assert.AssertionError({ message: 'the call did not fail' });
  };

  describe('sends', () => {
    const sent = async (
      run: (vault: ReturnType<typeof createVault>) => Promise<unknown>,
      namespace?: string,
    ) => {
      let seen:
        | {
            method: string | undefined;
            url: string | undefined;
            headers: IncomingMessage['headers'];
            body: string;
          }
        | undefined;
      handler = (request, response, body) => {
        seen = { method: request.method, url: request.url, headers: request.headers, body };
        response.end('{}');
      };
      using vault = createVault({ address, ...(namespace === undefined ? {} : { namespace }) });
      await run(vault);
      return seen!;
    };
    it('method, path, token, wrapping, namespace and JSON', async () => {
      const { method, url, headers, body } = await sent(
        (vault) =>
          vault.request(
            'POST',
            'signet/data/entries/acme.shop/orders',
            { data: { a: 1 } },
            { token: TOKEN, wrapTtl: '60s' },
          ),
        'team-a',
      );
      assert.equal(`${method} ${url}`, 'POST /v1/signet/data/entries/acme.shop/orders');
      assert.equal(headers['x-vault-token'], 'hvs.very-secret');
      assert.equal(headers['x-vault-wrap-ttl'], '60s');
      assert.equal(headers['x-vault-namespace'], 'team-a');
      assert.equal(headers['x-vault-request'], 'true');
      assert.equal(headers['content-type'], 'application/json');
      assert.deepEqual(JSON.parse(body), { data: { a: 1 } });
    });
    it('a list as a GET, which every proxy passes', async () => {
      const { method, url } = await sent((vault) =>
        vault.request('LIST', 'signet/metadata/entries/', undefined, { query: { after: 'a b' } }),
      );
      assert.equal(`${method} ${url}`, 'GET /v1/signet/metadata/entries/?list=true&after=a+b');
    });
    it("the caller's token with withToken, over one that a call brings", async () => {
      const { headers } = await sent((vault) =>
        withToken(vault, TOKEN).request('GET', 'sys/mounts', undefined, { token: new Secret('other') }),
      );
      assert.equal(headers['x-vault-token'], 'hvs.very-secret');
    });
    it('nothing that the environment says: no token, address, prefix, namespace, proxy', async () => {
      const names = {
        VAULT_TOKEN: 'ambient',
        VAULT_ADDR: 'http://127.0.0.1:1',
        VAULT_PREFIX: '/evil',
        VAULT_NAMESPACE: 'evil',
        http_proxy: 'http://127.0.0.1:1',
        HTTP_PROXY: 'http://127.0.0.1:1',
      };
      const kept = Object.fromEntries(Object.keys(names).map((name) => [name, process.env[name]]));
      Object.assign(process.env, names);
      try {
        const { url, headers } = await sent((vault) => vault.request('GET', 'sys/seal-status'));
        assert.equal(url, '/v1/sys/seal-status');
        assert.equal(headers['x-vault-token'], undefined);
        assert.equal(headers['x-vault-namespace'], undefined);
      } finally {
        for (const [name, value] of Object.entries(kept)) {
          if (value === undefined) delete process.env[name];
          else process.env[name] = value;
        }
      }
    });
    it('call after call on one connection', async () => {
      handler = answer(200, { data: {} });
      using vault = createVault({ address });
      const before = connections;
      for (let i = 0; i < 5; i++) await vault.request('GET', 'sys/mounts');
      assert.equal(connections - before, 1);
    });
  });

  describe('reads', () => {
    const reply = async (body: unknown, status = 200) => {
      handler = answer(status, body);
      using vault = createVault({ address });
      return await vault.request<unknown>('GET', 'x');
    };
    it('data', async () => {
      assert.deepEqual(await reply({ data: { keys: ['a'] }, warnings: ['w'] }), {
        data: { keys: ['a'] },
        warnings: ['w'],
      });
    });
    it('an answer without data as it is, and none as none', async () => {
      assert.deepEqual((await reply({ sealed: false })).data, { sealed: false });
      assert.deepEqual(await reply(undefined, 204), { data: undefined, warnings: [] });
    });
    it('a log-in, its token a secret', async () => {
      const { auth } = await reply({
        auth: {
          client_token: 'hvs.x',
          accessor: 'acc',
          lease_duration: 60,
          renewable: true,
          policies: ['p'],
        },
      });
      assert.equal(auth?.token.reveal(), 'hvs.x');
      assert.deepEqual(
        { ...auth, token: 0 },
        { token: 0, accessor: 'acc', leaseSeconds: 60, renewable: true, policies: ['p'] },
      );
      assert.doesNotMatch(inspect(auth, { depth: 9 }) + JSON.stringify(auth), /hvs\.x/);
    });
    it('a wrapped answer, its token a secret', async () => {
      const { data, wrapInfo } = await reply({
        wrap_info: {
          token: 'hvs.w',
          accessor: 'a',
          ttl: 60,
          creation_time: '2026-01-02T03:04:05.678Z',
          creation_path: 'auth/token/create/r',
          wrapped_accessor: 'in',
        },
      });
      assert.equal(data, undefined);
      assert.equal(wrapInfo?.token.reveal(), 'hvs.w');
      assert.deepEqual(
        { ...wrapInfo, token: 0 },
        {
          token: 0,
          accessor: 'a',
          ttlSeconds: 60,
          createdAt: new Date('2026-01-02T03:04:05.678Z'),
          creationPath: 'auth/token/create/r',
          wrappedAccessor: 'in',
        },
      );
      assert.doesNotMatch(inspect(wrapInfo, { depth: 9 }), /hvs\.w/);
    });
  });

  describe('tells apart', () => {
    const cases: [status: number, errors: string[], code: VaultErrorCode, tokenInvalid?: boolean][] = [
      [403, ['1 error occurred:\n\t* permission denied\n\n'], 'VAULT_DENIED', false],
      [403, ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'], 'VAULT_DENIED', true],
      [404, [], 'VAULT_NOT_FOUND'],
      [400, ['field validation failed'], 'VAULT_BAD_REQUEST'],
      [405, ['unsupported operation'], 'VAULT_BAD_REQUEST'],
      [400, ['check-and-set parameter did not match the current version'], 'VAULT_CAS_CONFLICT'],
      [400, ['wrapping token is not valid or does not exist'], 'VAULT_WRAPPING_GONE'],
      [
        400,
        ['Upgrading from non-versioned to versioned data. This backend will be unavailable'],
        'VAULT_UNAVAILABLE',
      ],
      [429, ['request path "x": rate limit quota exceeded'], 'VAULT_RATE_LIMITED'],
      [503, ['Vault is sealed'], 'VAULT_SEALED'],
      [503, ['Vault is not initialized'], 'VAULT_SEALED'],
      [503, [], 'VAULT_UNAVAILABLE'],
      [500, ['1 error occurred'], 'VAULT_UNAVAILABLE'],
      [502, [], 'VAULT_UNAVAILABLE'],
      [307, [], 'VAULT_UNAVAILABLE'],
    ];
    for (const [status, errors, code, tokenInvalid = false] of cases) {
      it(`${status} ${errors.join().replaceAll(/\s+/g, ' ').slice(0, 60)} as ${code}${tokenInvalid ? ', the token' : ''}`, async () => {
        handler = answer(status, { errors });
        const error = await failing();
        assert.equal(error.code, code);
        assert.equal(error.status, status);
        assert.equal(error.tokenInvalid, tokenInvalid);
        assert.equal(error.says.reveal(), errors.join('; '));
        assert.match(error.message, /^POST auth\/token\/create\/role: /);
      });
    }
    it('a refusal at a path that ends like the one for health, which node-vault takes for an answer', async () => {
      handler = answer(403, { errors: ['permission denied'] });
      using vault = createVault({ address });
      await assert.rejects(vault.request('GET', 'signet/data/entries/sys/health'), { code: 'VAULT_DENIED' });
    });
  });

  describe('keeps what was sent out of errors', () => {
    it('token, body and whatever Vault quotes of them', async () => {
      handler = (_request, response, body) =>
        void response.writeHead(400).end(JSON.stringify({ errors: [`bad: ${body} hvs.very-secret`] }));
      const error = await failing();
      const printed = [
        error.message,
        String(error.stack),
        inspect(error, { depth: 9, showHidden: true }),
        JSON.stringify(error),
      ].join();
      assert.doesNotMatch(printed, /very-secret|body-secret/);
    });
    it('also when there is no answer', async () => {
      const error = await failing({ address: 'http://127.0.0.1:9' });
      assert.equal(error.code, 'VAULT_UNAVAILABLE');
      assert.match(error.message, /ECONNREFUSED/);
      assert.doesNotMatch(inspect(error, { depth: 9 }), /very-secret|body-secret/);
    });
  });

  describe('gives up on', () => {
    it('an answer that does not come', async () => {
      handler = () => undefined;
      assert.equal((await failing({ timeoutMs: 50 })).code, 'VAULT_TIMEOUT');
      assert.equal((await failing({}, { timeoutMs: 50 })).code, 'VAULT_TIMEOUT');
    });
    it('an answer that never ends', async () => {
      handler = (_request, response) => void response.write('{"data":');
      assert.equal((await failing({ timeoutMs: 50 })).code, 'VAULT_TIMEOUT');
    });
    it('an answer that breaks off', async () => {
      handler = (_request, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('{"data"');
        setTimeout(() => response.destroy(), 20);
      };
      assert.equal((await failing()).code, 'VAULT_UNAVAILABLE');
    });
    it('an answer of over 16 MiB', async () => {
      handler = (_request, response) => {
        const chunk = Buffer.alloc(1024 * 1024, 0x20);
        response.on('error', () => undefined);
        const more = () => {
          if (!response.destroyed && response.write(chunk)) setImmediate(more);
          else response.once('drain', more);
        };
        more();
      };
      const error = await failing();
      assert.equal(error.code, 'VAULT_UNAVAILABLE');
      assert.match(error.message, /16 MiB/);
    });
    it('a call whose caller does', async () => {
      handler = () => undefined;
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 20);
      assert.equal((await failing({}, { signal: controller.signal })).code, 'VAULT_ABORTED');
    });
    it('a redirect: the token goes nowhere else', async () => {
      let visited = 0;
      handler = (request, response) => {
        visited++;
        if (request.url === '/v1/elsewhere') response.end('{}');
        else response.writeHead(307, { location: '/v1/elsewhere' }).end();
      };
      assert.equal((await failing()).code, 'VAULT_UNAVAILABLE');
      assert.equal(visited, 1);
    });
    it('what is not JSON, but tells the status', async () => {
      handler = (_request, response) => void response.writeHead(502).end('<html>bad gateway</html>');
      assert.equal((await failing()).status, 502);
    });
  });

  describe('refuses, before anything is sent,', () => {
    for (const path of ['a/../b', 'a//b', '/a', '', 'a/./b', 'a?b=c', 'a#b', 'a%2fb', 'a b', 'a\nb', 'ä']) {
      it(`the path ${JSON.stringify(path)}`, async () => {
        handler = () => assert.fail('it was sent');
        using vault = createVault({ address });
        await assert.rejects(vault.request('GET', path), { code: 'VAULT_BAD_REQUEST' });
      });
    }
    for (const bad of [
      '',
      'vault',
      'ftp://127.0.0.1',
      'http://vault.example.org:8200',
      'http://127.0.0.1.example.org',
      'https://user:secret@vault',
      'https://vault/v1',
      'https://vault?x',
      'http://0.0.0.0:8200',
    ]) {
      it(`the address ${JSON.stringify(bad)}`, () => {
        assert.throws(
          () => createVault({ address: bad }),
          (error) => error instanceof InputError && !error.message.includes('secret'),
        );
      });
    }
    for (const good of [
      'https://vault.example.org',
      'https://vault.example.org:8200/',
      'http://127.0.0.1:8200',
      'http://127.9.9.9',
      'http://localhost:8200',
      'http://[::1]:8200',
    ]) {
      it(`but not ${good}`, () => createVault({ address: good })[Symbol.dispose]());
    }
  });

  describe('over TLS', () => {
    it('trusts the CA it was given and no other, whatever the environment says', async () => {
      const ca = await createCa();
      const leaf = await ca.leaf('spiffe://example.org/vault', {
        sans: [{ type: 'ip', value: '127.0.0.1' }],
      });
      const secure = createTlsServer(
        { key: leaf.privateKeyPem, cert: leaf.pem },
        (_request, response) => void response.end('{"data":{"a":1}}'),
      );
      await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
      const at = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
      process.env['VAULT_SKIP_VERIFY'] = 'true';
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
      try {
        using good = createVault({ address: at, caCert: ca.pem });
        assert.deepEqual((await good.request('GET', 'x')).data, { a: 1 });
        for (const caCert of [undefined, (await createCa()).pem]) {
          const error = await failing({ address: at, ...(caCert === undefined ? {} : { caCert }) });
          assert.equal(error.code, 'VAULT_UNAVAILABLE');
        }
      } finally {
        delete process.env['VAULT_SKIP_VERIFY'];
        delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
        secure.closeAllConnections();
        secure.close();
      }
    });
  });
});
