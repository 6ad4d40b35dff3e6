import assert from 'node:assert/strict';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import {
  type KubernetesApi,
  KubernetesError,
  type KubernetesErrorCode,
  openKubernetes,
} from '../../../../lib/adapter/kubernetes/index.ts';
import { type FakeApiServer, startFakeApiServer } from '../../../fakes/api-server.ts';

const TOKEN = 'sa-very-secret';
const PODS = '/api/v1/namespaces/shop/pods';

describe('the Kubernetes adapter', () => {
  let server: FakeApiServer;
  let folder: string;
  before(async () => {
    server = await startFakeApiServer();
    folder = join(server.dir, 'service-account');
    await mkdir(folder);
    await writeFile(join(folder, 'ca.crt'), server.ca);
    await writeFile(join(folder, 'token'), `${TOKEN}\n`);
  });
  after(() => server[Symbol.asyncDispose]());
  const inCluster = (timeoutMs = 2_000) =>
    openKubernetes('main', { kind: 'in-cluster', server: server.url, folder }, { timeoutMs });
  const failing = async (call: (api: KubernetesApi) => Promise<unknown>, timeoutMs?: number) => {
    using api = await inCluster(timeoutMs);
    const error = await call(api).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof KubernetesError, String(error));
    assert.ok(!inspect(error, { depth: 10 }).includes(TOKEN));
    assert.ok(!inspect(error, { depth: 10 }).includes('body-secret'));
    return error;
  };
  const last = () => server.asked.at(-1)!;

  it('sends what is asked, with the token of the folder', async () => {
    using api = await inCluster();
    server.answerJson(200, { a: 1 });
    assert.deepEqual(await api.get(`${PODS}/orders-0`), { a: 1 });
    assert.deepEqual(
      [last().method, last().url, last().headers.authorization],
      ['GET', `${PODS}/orders-0`, `Bearer ${TOKEN}`],
    );
    await api.create(PODS, { b: 2 });
    assert.deepEqual(
      [last().method, last().headers['content-type'], last().body],
      ['POST', 'application/json', '{"b":2}'],
    );
    await api.patch(PODS, { c: 3 });
    assert.deepEqual(
      [last().method, last().headers['content-type']],
      ['PATCH', 'application/merge-patch+json'],
    );
    await api.patch(PODS, [{ op: 'remove', path: '/c' }]);
    assert.equal(last().headers['content-type'], 'application/json-patch+json');
  });

  describe('fails with', () => {
    const statuses: [number, KubernetesErrorCode][] = [
      [301, 'K8S_UNAVAILABLE'],
      [400, 'K8S_REFUSED'],
      [401, 'K8S_DENIED'],
      [403, 'K8S_DENIED'],
      [404, 'K8S_NOT_FOUND'],
      [409, 'K8S_CONFLICT'],
      [410, 'K8S_GONE'],
      [422, 'K8S_REFUSED'],
      [429, 'K8S_UNAVAILABLE'],
      [500, 'K8S_UNAVAILABLE'],
      [503, 'K8S_UNAVAILABLE'],
    ];
    for (const [status, code] of statuses)
      it(`${code} for HTTP ${status}, and the server's words apart`, async () => {
        server.answerJson(status, { kind: 'Status', message: `${TOKEN} body-secret` });
        const error = await failing((api) => api.create(PODS, { secret: 'body-secret' }));
        assert.deepEqual([error.code, error.status], [code, status]);
        assert.match(error.message, /^main: POST \/api\/v1\/namespaces\/shop\/pods: .+ \(HTTP \d+\)$/);
        assert.equal(error.says.reveal(), `${TOKEN} body-secret`);
      });
    for (const body of ['', 'no json', '7', 'null'])
      it(`K8S_UNAVAILABLE for the answer ${JSON.stringify(body)}`, async () => {
        server.answer((_asked, response) => void response.end(body));
        assert.equal((await failing((api) => api.get(PODS))).code, 'K8S_UNAVAILABLE');
      });
    it('K8S_UNAVAILABLE for an answer without end', async () => {
      const block = Buffer.alloc(1024 * 1024, 0x20);
      server.answer((_asked, response) => {
        const more = (error?: Error | null) => void (error || response.write(block, more));
        more();
      });
      assert.match((await failing((api) => api.get(PODS), 20_000)).message, /over 32 MiB/);
    });
    it('K8S_UNAVAILABLE for an answer that is cut off', async () => {
      server.answer((_asked, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{"a":', () => response.destroy());
      });
      assert.equal((await failing((api) => api.get(PODS))).code, 'K8S_UNAVAILABLE');
    });
    it('K8S_TIMEOUT when nothing comes, and when not all comes', async () => {
      server.answer(() => {});
      assert.equal((await failing((api) => api.get(PODS), 50)).code, 'K8S_TIMEOUT');
      server.answer((_asked, response) => void response.write('{"a":'));
      assert.equal((await failing((api) => api.get(PODS), 50)).code, 'K8S_TIMEOUT');
    });
    it('K8S_UNAVAILABLE when it is closed under a call', async () => {
      server.answer(() => {});
      const error = await failing(async (api) => {
        const call = api.get(PODS);
        (api as KubernetesApi & Disposable)[Symbol.dispose]();
        await call;
      });
      assert.equal(error.code, 'K8S_UNAVAILABLE');
    });
    it('K8S_UNAVAILABLE when another answers than who has the certificate', async () => {
      await using stranger = await startFakeApiServer();
      using api = await openKubernetes('main', { kind: 'in-cluster', server: stranger.url, folder });
      await assert.rejects(api.get(PODS), { code: 'K8S_UNAVAILABLE' });
      assert.equal(stranger.asked.length, 0);
    });
    it('the same, whatever the environment says of TLS', async () => {
      await using stranger = await startFakeApiServer();
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
      try {
        using api = await openKubernetes('main', { kind: 'in-cluster', server: stranger.url, folder });
        await assert.rejects(api.get(PODS), { code: 'K8S_UNAVAILABLE' });
      } finally {
        delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      }
    });
  });

  it('reads a list in pages', async () => {
    server.answer(({ url }, response) => {
      const next = new URL(url, server.url).searchParams.get('continue');
      const metadata = next === null ? { continue: 'more', resourceVersion: '7' } : { resourceVersion: '7' };
      response.end(JSON.stringify({ items: [next ?? 'first'], metadata }));
    });
    using api = await inCluster();
    assert.deepEqual(await api.list(PODS, { labelSelector: 'a=b' }), {
      items: ['first', 'more'],
      resourceVersion: '7',
    });
    assert.equal(new URL(last().url, server.url).searchParams.get('labelSelector'), 'a=b');
  });
  it('ends a list that does not end', async () => {
    const items = Array(20_000).fill(0);
    server.answerJson(200, { items, metadata: { continue: 'more' } });
    assert.match((await failing((api) => api.list(PODS))).message, /100000 of them or more/);
  });

  describe('a watch', () => {
    const events = async (api: KubernetesApi, signal = new AbortController().signal) =>
      await all(api.watch<{ n: number }>(PODS, { resourceVersion: '7' }, signal));
    const lines = (...parts: (string | object)[]) =>
      server.answer(async (_asked, response) => {
        for (const part of parts) {
          response.write(typeof part === 'string' ? part : `${JSON.stringify(part)}\n`);
          await new Promise((resolve) => setImmediate(resolve));
        }
        response.end();
      });
    it('gives the events, however they are cut', async () => {
      const [a, b] = [
        { type: 'ADDED', object: { n: 1 } },
        { type: 'BOOKMARK', object: { n: 2 } },
      ];
      const text = `${JSON.stringify(a)}\n${JSON.stringify(b)}\n`;
      for (const cut of [1, 10, text.length - 1, text.length]) {
        lines(text.slice(0, cut), text.slice(cut));
        using api = await inCluster();
        assert.deepEqual(await events(api), [a, b]);
      }
      const query = new URL(last().url, server.url).searchParams;
      assert.deepEqual(
        [query.get('watch'), query.get('resourceVersion'), query.get('allowWatchBookmarks')],
        ['true', '7', 'true'],
      );
    });
    for (const [what, part, code] of [
      ['that its version is gone', { type: 'ERROR', object: { kind: 'Status', code: 410 } }, 'K8S_GONE'],
      ['of another fault', { type: 'ERROR', object: { kind: 'Status', code: 500 } }, 'K8S_UNAVAILABLE'],
      ['what is no event', { type: 'ODD', object: {} }, 'K8S_UNAVAILABLE'],
      ['no object', { type: 'ADDED' }, 'K8S_UNAVAILABLE'],
      ['null', 'null\n', 'K8S_UNAVAILABLE'],
      ['no JSON', 'hello\n', 'K8S_UNAVAILABLE'],
    ] as const)
      it(`that is told ${what} fails with ${code}`, async () => {
        lines(part);
        assert.equal((await failing((api) => events(api))).code, code);
      });
    it('with a line without end fails', async () => {
      const block = Buffer.alloc(1024 * 1024, 0x20);
      server.answer((_asked, response) => {
        const more = (error?: Error | null) => void (error || response.write(block, more));
        more();
      });
      assert.match((await failing((api) => events(api))).message, /over 16 MiB/);
    });
    it('ends quietly when its signal fires', async () => {
      server.answer((_asked, response) => void response.write('{"type":"ADDED","object":{"n":1}}\n'));
      using api = await inCluster();
      const stop = new AbortController();
      const seen: number[] = [];
      for await (const { object } of api.watch<{ n: number }>(PODS, { resourceVersion: '7' }, stop.signal)) {
        seen.push(object.n);
        stop.abort();
      }
      assert.deepEqual(seen, [1]);
    });
    it('of which no head comes fails in time', async () => {
      server.answer(() => {});
      assert.equal((await failing((api) => events(api), 50)).code, 'K8S_TIMEOUT');
    });
    it('takes any bytes as events or as a fault', async () => {
      using api = await inCluster();
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
          server.answer((_asked, response) => void response.end(bytes));
          const outcome = await events(api).catch((error: unknown) => error);
          assert.ok(Array.isArray(outcome) || outcome instanceof KubernetesError, String(outcome));
        }),
        { numRuns: 200 },
      );
    });
  });

  describe('its credential', () => {
    const shown = async (api: KubernetesApi) => {
      server.answerJson(200, {});
      await api.get(PODS);
      return last().headers.authorization;
    };
    it('in a cluster is read again when the file is another', async () => {
      using api = await inCluster();
      assert.equal(await shown(api), `Bearer ${TOKEN}`);
      await writeFile(join(folder, 'next'), 'second');
      await rename(join(folder, 'next'), join(folder, 'token'));
      assert.equal(await shown(api), 'Bearer second');
      await writeFile(join(folder, 'token'), TOKEN);
      assert.equal(await shown(api), `Bearer ${TOKEN}`);
    });
    it('and with it the authority', async () => {
      await using moved = await startFakeApiServer();
      await writeFile(join(moved.dir, 'ca.crt'), server.ca);
      await writeFile(join(moved.dir, 'token'), 'x');
      using api = await openKubernetes('main', { kind: 'in-cluster', server: moved.url, folder: moved.dir });
      await assert.rejects(api.get(PODS), { code: 'K8S_UNAVAILABLE' });
      await writeFile(join(moved.dir, 'ca.crt'), moved.ca);
      assert.deepEqual(await api.get(PODS), {});
    });
    it('that is not there is found at once', async () => {
      const place = { kind: 'in-cluster', server: server.url, folder: join(server.dir, 'none') } as const;
      await assert.rejects(openKubernetes('main', place), {
        code: 'K8S_UNAVAILABLE',
        message: /^main: .*ENOENT/,
      });
    });
    const open = (file: string, context?: string) =>
      openKubernetes('main', { kind: 'kubeconfig', file, ...(context === undefined ? {} : { context }) });
    it('is the token of a kubeconfig', async () => {
      using api = await open(await server.kubeconfig({ token: 'inside' }));
      assert.equal(await shown(api), 'Bearer inside');
    });
    it('is what the tokenFile of a kubeconfig holds now', async () => {
      await writeFile(join(server.dir, 'own-token'), 'one\n');
      using api = await open(await server.kubeconfig({ tokenFile: 'own-token' }));
      assert.equal(await shown(api), 'Bearer one');
      await writeFile(join(server.dir, 'own-token'), 'two longer\n');
      assert.equal(await shown(api), 'Bearer two longer');
    });
    it('is read again when the kubeconfig is another', async () => {
      const file = await server.kubeconfig({ token: 'before' });
      using api = await open(file);
      assert.equal(await shown(api), 'Bearer before');
      await rename(await server.kubeconfig({ token: 'afterwards' }), file);
      assert.equal(await shown(api), 'Bearer afterwards');
    });
    it('is what a program prints, which is asked once', async () => {
      const program = join(server.dir, 'program');
      const credential = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: { token: 'printed' },
      };
      await writeFile(
        program,
        `#!/bin/sh\necho asked >> '${program}.log'\necho '${JSON.stringify(credential)}'\n`,
      );
      await chmod(program, 0o755);
      using api = await open(
        await server.kubeconfig({
          exec: { apiVersion: 'client.authentication.k8s.io/v1', command: program },
        }),
      );
      assert.equal(await shown(api), 'Bearer printed');
      assert.equal(await shown(api), 'Bearer printed');
    });
    it('is not in the error when a program fails', async () => {
      const program = join(server.dir, 'failing');
      await writeFile(program, `#!/bin/sh\necho ${TOKEN} >&2\nexit 3\n`);
      await chmod(program, 0o755);
      const file = await server.kubeconfig({ exec: { command: program } });
      const error = await open(file).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof KubernetesError);
      assert.ok(!inspect(error, { depth: 10 }).includes(TOKEN));
    });
    it('goes to the path of the server, behind which another cluster may be at the same address', async () => {
      for (const end of ['', '/']) {
        const file = await server.kubeconfig(
          { token: TOKEN },
          { server: `${server.url.origin}/k8s/clusters/c-1${end}` },
        );
        using api = await open(file);
        await shown(api);
        assert.equal(last().url, `/k8s/clusters/c-1${PODS}`);
      }
    });
    for (const [what, cluster, says] of [
      ['without https', { server: 'http://127.0.0.1:1' }, /without https/],
      ['that does not check who answers', { 'insecure-skip-tls-verify': true }, /insecure-skip-tls-verify/],
      ['with a proxy', { 'proxy-url': 'http://127.0.0.1:1' }, /proxy-url/],
    ] as const)
      it(`refuses a kubeconfig ${what}`, async () => {
        await assert.rejects(open(await server.kubeconfig({ token: TOKEN }, cluster)), {
          code: 'K8S_UNAVAILABLE',
          message: says,
        });
      });
    it('refuses a context that is not there', async () => {
      await assert.rejects(open(await server.kubeconfig({ token: TOKEN }), 'other'), {
        code: 'K8S_UNAVAILABLE',
        message: /no such context/,
      });
    });
    for (const text of ['', 'users: {', '[]', 'clusters: 7', `token: ${TOKEN}\n\t- x`])
      it(`refuses the kubeconfig ${JSON.stringify(text)}`, async () => {
        const file = join(server.dir, 'odd');
        await writeFile(file, text);
        const error = await open(file).catch((thrown: unknown) => thrown);
        assert.ok(error instanceof KubernetesError, String(error));
        assert.ok(!inspect(error, { depth: 10 }).includes(TOKEN));
      });
  });
});

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const event of events) found.push(event);
  return found;
}
