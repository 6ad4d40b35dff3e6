import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  ChallengeError,
  mintChallenge,
  openChallenge,
  proofMessage,
} from '../../../lib/attestation/index.ts';

const key = Buffer.alloc(32, 1);
const nonce = Buffer.alloc(16, 2);
const now = new Date('2026-01-01T00:00:00Z');
const later = (ms: number) => new Date(now.getTime() + ms);
const binding = { trustDomain: 'example.org', exporter: Buffer.alloc(32, 3) };
const { text, expiresAt } = mintChallenge(key, nonce, now, binding);

describe('a challenge', () => {
  it('opens on its connection within 60 s, with any of the keys', () => {
    assert.equal(expiresAt.getTime(), now.getTime() + 60_000);
    openChallenge(text, [Buffer.alloc(32, 9), key], later(59_999), binding);
  });

  const flip = (at: number) => {
    const bytes = Buffer.from(text, 'base64url');
    bytes[at]! ^= 1;
    return bytes.toString('base64url');
  };
  const rows: [string, () => void, string][] = [
    ['after 60 s', () => openChallenge(text, [key], later(60_000), binding), 'CHALLENGE_EXPIRED'],
    ['with another key', () => openChallenge(text, [Buffer.alloc(32)], now, binding), 'CHALLENGE_FOREIGN'],
    ['with no key', () => openChallenge(text, [], now, binding), 'CHALLENGE_FOREIGN'],
    [
      'on another connection',
      () => openChallenge(text, [key], now, { ...binding, exporter: Buffer.alloc(32) }),
      'CHALLENGE_FOREIGN',
    ],
    [
      'in another trust domain',
      () => openChallenge(text, [key], now, { ...binding, trustDomain: 'other.org' }),
      'CHALLENGE_FOREIGN',
    ],
    ['with its nonce changed', () => openChallenge(flip(0), [key], now, binding), 'CHALLENGE_FOREIGN'],
    ['with its expiry changed', () => openChallenge(flip(20), [key], now, binding), 'CHALLENGE_FOREIGN'],
    ['with its MAC changed', () => openChallenge(flip(50), [key], now, binding), 'CHALLENGE_FOREIGN'],
    ['cut short', () => openChallenge(text.slice(0, -1), [key], now, binding), 'CHALLENGE_MALFORMED'],
    ['with one more character', () => openChallenge(`${text}A`, [key], now, binding), 'CHALLENGE_MALFORMED'],
    [
      'with a character outside base64url',
      () => openChallenge(`${text.slice(0, -1)}+`, [key], now, binding),
      'CHALLENGE_MALFORMED',
    ],
    ['empty', () => openChallenge('', [key], now, binding), 'CHALLENGE_MALFORMED'],
  ];
  for (const [what, open, code] of rows) {
    it(`is refused ${what}`, () => {
      assert.throws(open, (e) => e instanceof ChallengeError && e.code === code);
    });
  }
});

describe('proofMessage', () => {
  it('names the trust domain, the challenge and the hash of the exporter, never the exporter', () => {
    const message = Buffer.from(proofMessage({ ...binding, challenge: text })).toString();
    assert.equal(
      message,
      `signet-attest-v1\nexample.org\n${text}\n648aa5c579fb30f38af744d97d6ec840c7a91277a499a0d780f3e7314eca090b\n`,
    );
  });
});
