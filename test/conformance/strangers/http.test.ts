import assert from 'node:assert/strict';
import { pair } from '../../sidecar/outbound/world.ts';
import { portOf } from '../../sidecar/sockets.ts';
import { type App, apps } from './apps.ts';
import { ASKS, nameOf } from './asks.ts';
import { type Client, clients } from './clients.ts';
import { leaveOut } from './leave-out.ts';
import { type Answer, CALLER, callersSeen, comparable } from './transcript.ts';

/** A client of HTTP/2 before an app that has none of it is held against one of HTTP/1.1 that asks the app itself. */
const directly: Readonly<Record<string, Client>> = {
  'curl, HTTP/2': clients.curl,
  'net/http, HTTP/2': clients['net/http'],
  'hyper-h2': clients['http.client'],
};

describe('strangers: HTTP through both sidecars as if it were direct', function () {
  this.timeout(120_000);

  for (const [appName, app] of Object.entries(apps) as [string, App][])
    for (const [name, client] of Object.entries(clients) as [string, Client][])
      it(`${name} and ${appName}`, async function () {
        leaveOut(this, { [name]: client.program, [appName]: app.program });
        await using running = await app.start();
        const h2c = client.version === 2 ? running.h2c : undefined;
        const otherVersion = client.version === 2 && h2c === undefined;
        const reference = otherVersion ? directly[name]! : client;
        const asks = ASKS.filter((each) => client.can(each) && reference.can(each) && app.serves(each));
        const port = h2c ?? running.port;
        const address = { host: '127.0.0.1', port, ...(h2c === undefined ? {} : { h2c: true as const }) };
        await using p = await pair({ inbound: { app: address } });
        const base = (at: number) => `http://127.0.0.1:${at}`;
        const direct = await reference.ask(base(port), 'orders', asks);
        const through = await client.ask(base(portOf(p.outbound.address)), 'orders', asks);

        assert.equal(through.length, asks.length);
        const http10 = app.http10 ?? false;
        const plain = (answer: Answer) =>
          comparable(answer, { otherVersion, http10, unordered: client.unordered ?? false });
        for (const [i, each] of asks.entries()) {
          assert.equal(direct[i]!.error, '', `${nameOf(each)}, direct`);
          assert.deepEqual(plain(through[i]!), plain(direct[i]!), nameOf(each));
          assert.ok(
            direct[i]!.fresh || http10 || !through[i]!.fresh,
            `${nameOf(each)}: a connection of its own`,
          );
          assert.deepEqual(callersSeen(through[i]!) ?? CALLER, CALLER, nameOf(each));
        }
      });
});
