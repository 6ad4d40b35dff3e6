import assert from 'node:assert/strict';
import { DeliveryError } from '../../../lib/manifest/index.ts';
import { readDelivery } from '../../../sidecar/policy/delivery.ts';
import { createAuthor, onTheWire } from '../../support/author.ts';
import { seededRandom } from '../../support/der.ts';

describe('a broker’s answer at random', () => {
  it('20,000 damaged ones: a delivery or delivery_malformed, nothing else', async () => {
    const author = await createAuthor();
    const signed = author.manifest([{ name: 'a', target: 'spiffe://example.org/a', level: 'root' }]);
    const sound = JSON.stringify({
      policies: { ...onTheWire(signed), documents: signed.documents },
      denylist: onTheWire(author.denylist([], [])),
    });
    const random = seededRandom(17);
    const values: unknown[] = [
      null,
      7,
      '',
      [],
      {},
      true,
      [[]],
      { chain: 1 },
      'x'.repeat(20_000),
      { length: 3 },
    ];
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      const places: [object, string][] = [];
      const body = JSON.parse(sound);
      const walk = (value: object) => {
        for (const [key, child] of Object.entries(value)) {
          places.push([value, key]);
          if (typeof child === 'object' && child !== null) walk(child);
        }
      };
      walk(body);
      const [parent, key] = places[Math.floor(random() * places.length)]!;
      const value = values[Math.floor(random() * values.length)];
      if (random() < 0.2) Reflect.deleteProperty(parent, key);
      else Reflect.set(parent, key, value);
      try {
        const { policies, denylist } = readDelivery(JSON.parse(JSON.stringify(body)));
        for (const sealed of [policies?.sealed, denylist])
          if (sealed) assert.deepEqual([typeof sealed.text, typeof sealed.signature], ['string', 'string']);
        for (const { name, target, text } of policies?.documents ?? [])
          assert.deepEqual([typeof name, typeof target, typeof text], ['string', 'string', 'string']);
      } catch (error) {
        assert.ok(error instanceof DeliveryError && error.code === 'delivery_malformed', `${error}`);
        refused++;
      }
    }
    assert.ok(refused > 5_000 && refused < 20_000, `${refused}`);
  });
  for (const body of [undefined, null, [], 'text', 7, {}, { policies: null }, { denylist: [] }])
    it(`is refused: ${JSON.stringify(body)}`, () =>
      assert.throws(() => readDelivery(body), { code: 'delivery_malformed' }));
});
