import assert from 'node:assert/strict';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createProver, proofsFor } from '../../../sidecar/fingerprint/index.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { problemIn } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';
import { dialPlain } from '../sockets.ts';

/** What came of a request of a sidecar whose clock is so far ahead, and the skew that the other one reports. */
async function skewed(seconds: number): Promise<{ readonly outcome: unknown; readonly told: number }> {
  const metrics = createMetrics();
  const proofs = proofsFor({ sends: 'off', requires: 'channel', ttlSeconds: 10 }, metrics);
  const clock = { now: () => new Date(Date.now() + seconds * 1000) };
  await using w = await pair({
    inbound: { screens: { ...NO_SCREENS, proofs } },
    outbound: { prover: createProver({ mode: 'channel', ttlSeconds: 10, clock }) },
  });
  using client = await dialPlain(w.outbound.address);
  client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
  const text = await client.hears(/\r\n\r\n(?:ok|.*"code")/);
  const outcome = text.startsWith('HTTP/1.1 200') ? 'ok' : problemIn(text)['code'];
  const told = /^signet_fingerprint_clock_skew_seconds (\S+)$/m.exec(metrics.render())![1]!;
  return { outcome, told: Number(told) };
}

describe('clocks that differ', () => {
  for (const [seconds, expected] of [
    [0, 'ok'],
    [4, 'ok'],
    [-12, 'ok'],
    [8, 'proof_future'],
    [-20, 'proof_expired'],
  ] as const)
    it(`by ${seconds} s: ${expected}, and by how much is told`, async () => {
      const { outcome, told } = await skewed(seconds);
      assert.equal(outcome, expected);
      assert.ok(Math.abs(told - seconds) <= 1.5, `${told}`);
    });
});
