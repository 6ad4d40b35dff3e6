import assert from 'node:assert/strict';
import { pair } from '../../sidecar/outbound/world.ts';
import { type Ending, grpcApps, grpcClients } from './grpc.ts';
import { leaveOut } from './leave-out.ts';

const ENDED_EARLY = /^(?:deadline|cancelled)$/;
const EARLY = /^(?:deadline_?exceeded|cancell?ed)$/i;

/** An ending without the second it came in. Of a call that its caller does not wait for, both ends tell as soon as they can. */
function comparable({ head, tail, ...rest }: Ending): object {
  if (ENDED_EARLY.test(rest.call) && EARLY.test(rest.code)) return { call: rest.call };
  const lines = (given: Ending['head']) => given.filter(([name]) => name !== 'date');
  return { ...rest, head: lines(head), tail: lines(tail) };
}

describe('strangers: gRPC through both sidecars as if it were direct', function () {
  this.timeout(120_000);

  for (const [appName, app] of Object.entries(grpcApps))
    for (const [name, client] of Object.entries(grpcClients))
      it(`${name} and ${appName}`, async function () {
        leaveOut(this, { [name]: client.program, [appName]: app.program });
        await using running = await app.start();
        const address = { host: '127.0.0.1', port: running.port, h2c: true as const };
        await using p = await pair({ inbound: { app: address } });
        const direct = await client.ask(`127.0.0.1:${running.port}`);
        const through = await client.ask(p.outbound.address);
        assert.ok(direct.length > 25);
        for (const [i, each] of through.entries())
          assert.deepEqual(comparable(each), comparable(direct[i]!), each.call);
        const codes = through.map(({ code }) => code.toUpperCase());
        assert.ok(codes.filter((code) => code === 'OK').length >= 14, codes.join(' '));
        assert.equal(through.length, direct.length);
      });
});
