import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePort } from '../../../harness/port.ts';
import { createStage, type Stage } from '../identity/stage.ts';
import { dialPlain } from '../sockets.ts';
import { ORDERS } from '../support.ts';

type Asked = Pick<IncomingMessage, 'method' | 'url' | 'headers'>;
type AskedBy = (request: Asked) => Promise<{ caller: string; user: unknown; claims: unknown }>;

const doc = await readFile(new URL('../../../docs/app.md', import.meta.url), 'utf8');
const [, example = ''] = /^```js\n(.*?)^```/ms.exec(doc) ?? [];

/** The example of docs/app.md, with this admin address. */
async function exampleFor(admin: string, dir: string): Promise<AskedBy> {
  const path = join(dir, `example-${admin.replace(/\W/g, '-')}.mjs`);
  const text = example
    .replace("'jose'", JSON.stringify(import.meta.resolve('jose')))
    .replace('127.0.0.1:15000', admin);
  await writeFile(path, text);
  return (await import(pathToFileURL(path).href)).askedBy;
}

describe('docs/app.md, of a running sidecar', function () {
  this.timeout(60_000);
  let stage: Stage;
  let dir: string;
  const requests: Asked[] = [];
  const app = createServer(({ method, url, headers }, response) => {
    requests.push({ method, url, headers });
    response.setHeader('connection', 'close').end('ok');
  });

  before(async () => {
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    dir = await mkdtemp(join(tmpdir(), 'signet-app-'));
    stage = await createStage();
  });
  after(async () => {
    await stage[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
    app.closeAllConnections();
    app.close();
  });

  /** A sidecar that is its own upstream: what is asked goes through both of its sides. */
  async function start(workers: number, more: Readonly<Record<string, string>> = {}) {
    const [inbound, outbound] = [await freePort(), await freePort()];
    const policy = join(stage.dir, 'policy.json');
    const rule = { name: 'all', level: 'application', target: ORDERS, effect: 'allow', mode: 'enforce' };
    await writeFile(policy, JSON.stringify([{ ...rule, when: { caller: { is: ORDERS } } }]));
    const sidecar = await stage.sidecar({
      SIGNET_MODE: 'service',
      SIGNET_WORKERS: String(workers),
      SIGNET_INBOUND: `127.0.0.1:${inbound}->127.0.0.1:${(app.address() as AddressInfo).port}`,
      SIGNET_POLICY_FILE: policy,
      SIGNET_OUTBOUND: `127.0.0.1:${outbound}`,
      SIGNET_UPSTREAMS: `orders=127.0.0.1:${inbound}#${ORDERS}`,
      ...more,
    });
    await sidecar.waitForEvent('ready', workers === 1 ? undefined : ({ worker }) => worker === undefined);
    return { sidecar, admin: await sidecar.addressOf('admin'), outbound };
  }

  /** Asks the app by the sidecar, each time on another connection. @returns what came to the app */
  async function ask(port: number, path: string, times: number, more = ''): Promise<Asked[]> {
    const from = requests.length;
    for (let i = 0; i < times; i++) {
      using client = await dialPlain(`127.0.0.1:${port}`);
      client.send(`GET ${path} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n${more}\r\n`);
      assert.match(await client.ends(), /^HTTP\/1.1 200/);
    }
    return requests.slice(from);
  }

  for (const workers of [1, 2])
    it(`has an example that believes what ${workers === 1 ? 'one process' : 'any of two'} states, before and after rotation`, async () => {
      const on = { SIGNET_ASSERTION: 'on', SIGNET_TRANSACTION: 'on' };
      const { sidecar, admin, outbound } = await start(workers, on);
      const askedBy = await exampleFor(admin, dir);
      const before = await ask(outbound, '/caf%c3%a9?q=1', 12);
      await rotate(admin);
      const after = await ask(outbound, '/b', 12, transactionOf(before[0]!));
      for (const request of [...before, ...after])
        assert.deepEqual(await askedBy(request), { caller: ORDERS, user: null, claims: {} });
      await assert.rejects(askedBy({ ...before[0]!, method: 'POST' }), /another request/);
      await assert.rejects(askedBy({ ...before[0]!, headers: {} }));

      const response = await fetch(`http://${admin}/jwks`);
      assert.equal(response.headers.get('content-type'), 'application/jwk-set+json');
      const { keys } = (await response.json()) as { keys: { kid: string; d?: string }[] };
      assert.equal(new Set(keys.map(({ kid }) => kid)).size, 2 * workers);
      assert.ok(keys.every((key) => !('d' in key)));
      const used = new Set([...before, ...after].map(kidOf));
      assert.ok([...used].every((kid) => keys.some((key) => key.kid === kid)));
      await sidecar.stop();
    });

  it('adds nothing where nothing is set', async () => {
    const { sidecar, admin, outbound } = await start(1);
    const [{ headers }] = (await ask(outbound, '/', 1)) as [Asked];
    const ours = Object.keys(headers).filter((name) => name.startsWith('x-signet'));
    assert.deepEqual(ours, ['x-signet-caller']);
    assert.deepEqual(await (await fetch(`http://${admin}/jwks`)).json(), { keys: [] });
    await sidecar.stop();
  });
});

async function rotate(admin: string): Promise<void> {
  assert.equal((await fetch(`http://${admin}/rotate`, { method: 'POST' })).status, 200);
}

const transactionOf = ({ headers }: Asked) => `X-Signet-Transaction: ${headers['x-signet-transaction']}\r\n`;

function kidOf({ headers }: Asked): string {
  const [header = ''] = String(headers['x-signet-assertion']).split('.');
  return JSON.parse(Buffer.from(header, 'base64url').toString()).kid;
}
