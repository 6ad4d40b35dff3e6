import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect } from 'node:tls';
import { type Child, startChild } from '../../../harness/child.ts';
import { createCertificate } from '../../../terraform/provider/plugin/serve/certificate.ts';
import { callProvider, type HandshakeLine, readHandshake } from './client.ts';
import { PROBE } from './workspace.ts';

const COOKIE = {
  TF_PLUGIN_MAGIC_COOKIE: 'd602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2',
};

describe('a provider as a plugin', function () {
  this.timeout(60_000);
  const client = createCertificate(new Date());
  let folder: string;
  const children: Child[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'signet-plugin-'));
  });
  after(async () => {
    await Promise.all(children.map((child) => child.kill()));
    await rm(folder, { recursive: true, force: true });
  });
  const start = async (env: Record<string, string>) => {
    const child = await startChild(process.execPath, [PROBE], { env: { TMPDIR: folder, ...env } });
    children.push(child);
    return child;
  };
  const begin = async (env: Record<string, string> = {}) => {
    const child = await start({
      ...COOKIE,
      PLUGIN_PROTOCOL_VERSIONS: '5,6',
      PLUGIN_CLIENT_CERT: client.pem,
      ...env,
    });
    return { child, line: await readHandshake(child) };
  };

  it('refuses to begin by hand, without mutual TLS, or for a protocol that it does not speak', async () => {
    for (const [env, told] of [
      [{}, /does nothing when run by hand/],
      [{ TF_PLUGIN_MAGIC_COOKIE: 'another' }, /does nothing when run by hand/],
      [COOKIE, /over mutual TLS only/],
      [
        { ...COOKIE, PLUGIN_PROTOCOL_VERSIONS: '4,5', PLUGIN_CLIENT_CERT: client.pem },
        /needs Terraform 1\.0 or OpenTofu: it speaks plugin protocol 6/,
      ],
    ] as const) {
      const child = await start(env);
      const { code } = await child.ended;
      assert.deepEqual([code, child.stdout()], [1, '']);
      assert.match(child.stderr(), told);
      assert.equal(child.stderr().split('\n').length, 2);
    }
  });

  it('says where it serves, on a socket that is its user’s alone, and with which certificate', async () => {
    const { child, line } = await begin();
    assert.deepEqual([line.core, line.protocol, line.network, line.kind], ['1', '6', 'unix', 'grpc']);
    assert.equal((await stat(dirname(line.address))).mode & 0o077, 0);
    const certificate = new X509Certificate(line.certificate);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.equal(certificate.checkHost('localhost'), 'localhost');
    assert.ok(certificate.validToDate.getTime() > Date.now() + 24 * 3_600_000);
    await child.stop();
  });

  it('serves on the loopback where the path of a socket would be too long', async () => {
    const deep = join(folder, 'a'.repeat(80));
    await mkdir(deep);
    const { line } = await begin({ TMPDIR: deep });
    assert.match(`${line.network} ${line.address}`, /^tcp 127\.0\.0\.1:\d+$/);
    const { provider } = await callProvider(line, client, '/tfplugin6.Provider/GetProviderSchema', {});
    assert.ok(provider);
  });

  it('serves the holder of the one certificate that it was given, and no one else', async () => {
    const { line } = await begin();
    await callProvider(line, client, '/tfplugin6.Provider/GetMetadata', {});
    const stranger = createCertificate(new Date());
    await assert.rejects(callProvider(line, stranger, '/tfplugin6.Provider/GetMetadata', {}));
    await assert.rejects(handshake(line));
    await callProvider(line, client, '/tfplugin6.Provider/GetMetadata', {});
  });

  it('answers that it is well, and ends when it is told to, leaving nothing', async () => {
    const { child, line } = await begin();
    await callProvider(line, client, '/grpc.health.v1.Health/Check', {});
    await callProvider(line, client, '/plugin.GRPCController/Shutdown', {});
    assert.deepEqual(await child.ended, { code: 0, signal: null });
    assert.equal(existsSync(dirname(line.address)), false);
  });

  it('answers what it does not know with the protocol’s own words', async () => {
    const { line } = await begin();
    await assert.rejects(
      callProvider(line, client, '/tfplugin6.Provider/CallFunction', { name: 'f', arguments: [] }),
      /UNIMPLEMENTED/,
    );
    const functions = await callProvider(line, client, '/tfplugin6.Provider/GetFunctions', {});
    assert.deepEqual(functions['functions'], {});
    const { diagnostics } = await callProvider(line, client, '/tfplugin6.Provider/ReadResource', {
      type_name: 'probe_strange',
    });
    assert.match(JSON.stringify(diagnostics), /The provider has no type probe_strange/);
  });
});

/** A connection that shows no certificate. @throws when it is ended */
async function handshake({ address }: HandshakeLine): Promise<void> {
  const socket = connect({ path: address, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  socket.on('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  const outcome = await Promise.race([
    once(socket, 'data').then(() => undefined),
    once(socket, 'close').then(() => new Error('closed')),
    once(socket, 'error').then(([error]) => error as Error),
  ]).finally(() => socket.destroy());
  if (outcome) throw outcome;
}
