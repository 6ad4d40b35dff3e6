import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { OK, problemIn } from '../inbound/world.ts';
import { dialPlain } from '../sockets.ts';
import { WEB } from '../support.ts';
import { pair } from './world.ts';

const CALLER = `x-signet-caller: ${WEB}\r\n`;

describe('outbound: forward proxy', () => {
  const passed: readonly [string, string, string][] = [
    ['GET http://orders/a HTTP/1.1', 'orders', '/a'],
    ['GET HTTP://Orders/A?b=http://x HTTP/1.1', 'ORDERS', '/A?b=http://x'],
    ['GET http://orders HTTP/1.1', 'orders', '/'],
    ['GET http://orders?q HTTP/1.1', 'orders', '/?q'],
    ['GET http://orders:80/a HTTP/1.1', 'orders', '/a'],
    ['GET http://orders/a HTTP/1.1', 'orders:80', '/a'],
    ['GET http://orders:8080/a HTTP/1.1', 'orders:8080', '/a'],
    ['GET http://orders/%7euser/a%2eb/%c3%a9 HTTP/1.1', 'orders', '/~user/a.b/%C3%A9'],
    ['GET /a HTTP/1.1', 'orders', '/a'],
  ];
  for (const [line, host, path] of passed)
    it(`${line} with Host: ${host} is ${path}`, async () => {
      await using p = await pair();
      using app = await dialPlain(p.outbound.address);
      app.send(`${line}\r\nHost: ${host}\r\nProxy-Connection: Keep-Alive\r\nProxy-Authorization: x\r\n\r\n`);
      await app.hears(OK);
      assert.equal(p.app.received, `GET ${path} HTTP/1.1\r\nHost: ${host.toLowerCase()}\r\n${CALLER}\r\n`);
    });

  const refused: readonly [string, string, number, string][] = [
    ['GET http://orders/a HTTP/1.1', 'stock', 400, 'host'],
    ['GET http://orders/a HTTP/1.1', 'orders:8080', 400, 'host'],
    ['GET http://orders:443/a HTTP/1.1', 'orders', 400, 'host'],
    ['GET http://orders/a HTTP/1.1', 'orders.', 400, 'host'],
    ['GET http://user@orders/a HTTP/1.1', 'orders', 400, 'target_authority'],
    ['GET http:///a HTTP/1.1', 'orders', 400, 'target_authority'],
    ['GET http://orders\\@stock/a HTTP/1.1', 'orders', 400, 'target_authority'],
    ['GET http://orders#/a HTTP/1.1', 'orders', 400, 'target_authority'],
    ['GET http:/orders/a HTTP/1.1', 'orders', 400, 'target_form'],
    ['GET ftp://orders/a HTTP/1.1', 'orders', 400, 'target_form'],
    ['GET orders/a HTTP/1.1', 'orders', 400, 'target_form'],
    ['OPTIONS * HTTP/1.1', 'orders', 400, 'target_form'],
    ['OPTIONS http://orders HTTP/1.1', 'orders', 400, 'target_form'],
    ['GET https://orders/a HTTP/1.1', 'orders', 400, 'target_https'],
    ['GET http://orders/../a HTTP/1.1', 'orders', 400, 'target_dot_segment'],
    ['GET http://orders//a HTTP/1.1', 'orders', 400, 'target_empty_segment'],
    ['GET http://orders/a%2fb HTTP/1.1', 'orders', 400, 'target_escape'],
    ['GET http://orders/a;b HTTP/1.1', 'orders', 400, 'target_byte'],
    ['GET http://elsewhere/a HTTP/1.1', 'elsewhere', 404, 'unknown_upstream'],
    ['CONNECT orders:443 HTTP/1.1', 'orders:443', 501, 'connect_refused'],
    ['TRACE http://orders/ HTTP/1.1', 'orders', 501, 'method_refused'],
  ];
  for (const [line, host, status, code] of refused)
    it(`${line} with Host: ${host} is refused: ${code}`, async () => {
      await using p = await pair();
      using app = await dialPlain(p.outbound.address);
      app.send(`${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      const problem = problemIn(await app.ends());
      assert.deepEqual([problem.status, problem['code']], [status, code]);
      assert.equal(p.app.received, '');
    });

  it('is the same wherever a request is cut, and with a connection that is dialled first', async () => {
    await using p = await pair();
    const request = 'GET http://Orders/a%20b HTTP/1.1\r\nHost: orders\r\n\r\n';
    const want = `GET /a%20b HTTP/1.1\r\nHost: orders\r\n${CALLER}\r\n`;
    using app = await dialPlain(p.outbound.address);
    for (let at = 1; at < request.length; at += 7) {
      app.received = '';
      app.send(request.slice(0, at));
      await new Promise((resolve) => setTimeout(resolve, 2));
      app.send(request.slice(at));
      await app.hears(OK);
    }
    assert.equal(p.app.received.replaceAll(want, ''), '');
  });

  it('serves a client that was given HTTP_PROXY, and refuses its tunnel in words', async () => {
    await using p = await pair();
    const proxy = `http://${p.outbound.address}`;
    const agent = new Agent({ proxyEnv: { HTTP_PROXY: proxy } });
    const [response] = (await once(get('http://orders/a?b', { agent }), 'response')) as [IncomingMessage];
    assert.equal(await text(response), 'ok');
    assert.match(p.app.received, /^GET \/a\?b HTTP\/1.1\r\n/);
    agent.destroy();
    using tunnel = await dialPlain(p.outbound.address);
    tunnel.send('CONNECT orders:443 HTTP/1.1\r\nHost: orders:443\r\n\r\n');
    assert.match(String(problemIn(await tunnel.ends())['detail']), /would hide requests from policy/);
  });

  it('inbound takes no absolute target', async () => {
    await using p = await pair();
    using web = await p.dial();
    web.send('GET http://orders/a HTTP/1.1\r\nHost: orders\r\n\r\n');
    assert.equal(problemIn(await web.ends())['code'], 'target_form');
  });
});
