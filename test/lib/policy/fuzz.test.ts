import assert from 'node:assert/strict';
import { compilePolicies, evaluate, PolicyError, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { seededRandom } from '../../support/der.ts';

const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const SOUND = JSON.stringify([
  {
    name: 'read',
    level: 'application',
    target: TARGET,
    effect: 'allow',
    mode: 'enforce',
    when: {
      all: [
        { caller: { in: [WEB, 'anonymous'] } },
        { any: [{ method: { in: ['GET'] } }, { not: { path: { like: '/a/{b}' } } }] },
      ],
    },
  },
]);
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u0000',
  '"all"',
  '"not"',
  'null',
  '1e999',
  '__proto__',
  '"path"',
  '/',
  '\ud800',
  'é',
];

describe('policy files at random', () => {
  it('20,000 damaged files: PolicyError or a set, nothing else', () => {
    const random = seededRandom(99);
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      let text = SOUND;
      for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) {
        const at = Math.floor(random() * text.length);
        const piece =
          random() < 0.5
            ? PIECES[Math.floor(random() * PIECES.length)]!
            : text.slice(at, at + Math.floor(random() * 40));
        text = text.slice(0, at) + piece + text.slice(at + Math.floor(random() * 4));
      }
      try {
        parsePolicies([{ file: 'f', text }]);
      } catch (error) {
        assert.ok(error instanceof PolicyError, `${error} for ${text}`);
        assert.ok(
          error.defects.length > 0 &&
            error.defects.every(({ found, expected }) => found !== '' && expected !== ''),
        );
        refused += 1;
      }
    }
    assert.ok(refused > 10_000 && refused < 20_000, `${refused} refused`);
  });

  it('50,000 requests of any characters: a decision, never an error', () => {
    const random = seededRandom(100);
    const policy = compilePolicies(parsePolicies([{ file: 'f', text: SOUND }]), parseSpiffeId(TARGET));
    const callers = [parseSpiffeId(WEB), 'anonymous'] as const;
    const text = () =>
      String.fromCharCode(
        ...Array.from({ length: Math.floor(random() * 8) }, () => Math.floor(random() * 65536)),
      );
    for (let i = 0; i < 50_000; i++) {
      const path = random() < 0.5 ? `/a/${text()}` : text();
      const caller = callers[i % 2]!;
      const { effect } = evaluate(policy, { caller, method: random() < 0.3 ? 'GET' : text(), path });
      assert.ok(effect === 'allow' || effect === 'deny');
    }
    for (const caller of callers) {
      const deep = evaluate(policy, { caller, method: 'PUT', path: '/a'.repeat(1_000_000) });
      assert.equal(deep.effect, 'allow');
    }
  });
});
