import assert from 'node:assert/strict';
import { seededRandom } from '../../support/der.ts';
import { encode, GET, NOW, post, sides } from './sides.ts';

const PIECES = [
  '.',
  '..',
  '=',
  '"',
  '\\',
  '{',
  '}',
  ':',
  ',',
  'e9',
  '-1',
  '\0',
  'é',
  '__proto__',
  'null',
  '[]',
  '\\u0022',
  ' ',
];
const ROUNDS = 20_000;

describe('proofs at random', () => {
  for (const mode of ['channel', 'signed'] as const)
    it(`${ROUNDS} damaged ones: each is refused by a code, and nothing else happens (${mode})`, () => {
      const random = seededRandom(7);
      const below = (bound: number) => Math.floor(random() * bound);
      const { maker, judge } = sides(mode);
      const request = post('hello');
      const sound = maker.make(request, NOW);
      const faults = new Map<string, number>();
      const damage = (text: string) => {
        const at = below(text.length + 1);
        const piece = PIECES[below(PIECES.length)]!;
        return (
          text.slice(0, at) +
          (random() < 0.5 ? piece : String.fromCharCode(33 + below(94))) +
          text.slice(at + below(3))
        );
      };
      for (let i = 0; i < ROUNDS; i++) {
        const parts = sound.split('.');
        const part = below(3);
        const decoded = Buffer.from(parts[part]!, 'base64url').toString('latin1');
        const token =
          random() < 0.3
            ? damage(sound)
            : parts.with(part, encode(Buffer.from(damage(decoded), 'latin1'))).join('.');
        if (token === sound) continue;
        const fault = judge.judge(token, request, NOW);
        assert.match(fault ?? 'it held', /^proof_[a-z]+$/, token);
        faults.set(fault!, (faults.get(fault!) ?? 0) + 1);
      }
      assert.ok((faults.get('proof_malformed') ?? 0) > ROUNDS / 4, JSON.stringify([...faults]));
      assert.ok((faults.get('proof_signature') ?? 0) > ROUNDS / 20, JSON.stringify([...faults]));
      assert.equal(judge.judge(sound, request, NOW), null);
      assert.equal(judge.judge(maker.make(GET, NOW), GET, NOW), null);
    });

  it('damaged assertions are not believed', () => {
    const random = seededRandom(8);
    for (let i = 0; i < 500; i++) {
      const { maker, judge } = sides('signed', 'channel');
      const text = sides('channel').maker.assertion(NOW)!;
      const at = Math.floor(random() * text.length);
      judge.hear(text.slice(0, at) + PIECES[i % PIECES.length] + text.slice(at + 1));
      assert.equal(judge.awaits, true);
      assert.equal(judge.judge(maker.make(GET, NOW), GET, NOW), null);
    }
  });
});
