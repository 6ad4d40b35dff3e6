import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { answering } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';

describe('HTTP/2: a request whose head and body come in one piece', () => {
  it('is whole, also without a length', async () => {
    await using p = await pair({ inbound: { answer: answering() } });
    const session = connect(`http://${p.outbound.address}`);
    const stream = session.request({ ':method': 'POST', ':path': '/a', ':authority': 'orders' });
    const [fields] = await once(stream.end('hi'), 'response');
    assert.equal(fields[':status'], 200);
    assert.match(p.app.received, /\r\n\r\n2\r\nhi\r\n0\r\n\r\n$/);
    session.destroy();
  });
});
