import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseRegisteredService, servicePath } from '../../../broker/services/registered-service.ts';
import { InputError } from '../../../lib/errors.ts';
import { readDirectory } from '../../../sidecar/services/directory.ts';

const CONTEXT = { trustDomain: 'example.org' };
const GOOD = {
  tenant: 'acme/shop',
  name: 'orders',
  host: 'orders.internal',
  addresses: ['10.0.0.5:8443', '[fd00::5]:8443'],
  spiffe_ids: ['spiffe://example.org/ns/shop/sa/orders'],
};

describe('broker: a registered service', () => {
  it('is read as it is written, without addresses too', () => {
    assert.deepEqual(parseRegisteredService(GOOD, CONTEXT), GOOD);
    assert.deepEqual(parseRegisteredService({ ...GOOD, addresses: [] }, CONTEXT).addresses, []);
    assert.equal(servicePath(GOOD), 'services/acme.shop/orders');
  });

  it('whatever is written is a service that every sidecar understands, or refused with its defects', () => {
    const bytes = JSON.stringify(GOOD);
    let seed = 11;
    const random = (below: number) => (seed = (seed * 48_271) % 0x7fffffff) % below;
    const pieces = ['', 'null', '[]', '{}', '"', '0', '.', ':', '[', 'A', '-', '*', '/', ',"x"'];
    let sound = 0;
    for (let i = 0; i < 20_000; i++) {
      const at = random(bytes.length);
      let value: unknown;
      try {
        value = JSON.parse(bytes.slice(0, at) + pieces[random(pieces.length)] + bytes.slice(at + random(4)));
      } catch {
        continue;
      }
      try {
        const { host, addresses, spiffe_ids } = parseRegisteredService(value, CONTEXT);
        const answer = {
          ...{ version: 'v1', seen_at: new Date(0).toISOString(), services: [] },
          registered: [{ host, addresses, spiffe_ids }],
        };
        assert.equal(readDirectory(answer, 'example.org').byHost.size, 1, JSON.stringify(value));
        sound++;
      } catch (error) {
        assert.ok(error instanceof InputError, `${JSON.stringify(value)}: ${error}`);
      }
    }
    assert.ok(sound > 1_000, `${sound} were sound`);
  });
});
