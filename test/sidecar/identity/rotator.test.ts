import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, it } from 'mocha';
import { createLog } from '../../../lib/adapter/log.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { AcquireError } from '../../../sidecar/identity/acquire-error.ts';
import { createCredentials, type Svid } from '../../../sidecar/identity/credentials.ts';
import { createRotator, type Failure } from '../../../sidecar/identity/rotator.ts';
import { machineClock } from '../../../sidecar/identity/server-clock.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const refused = () => new AcquireError('BROKER_REFUSED', 'the broker refused', { reason: 'entry_disabled' });
const unreachable = () => new AcquireError('BROKER_UNREACHABLE', 'no connection');

function svid(serial: string, lifeMs: number): Svid {
  const issuedAt = new Date();
  return {
    id: parseSpiffeId('spiffe://example.org/ns/shop/sa/orders'),
    serial,
    key: privateKey,
    certChainPem: '',
    bundlePem: '',
    issuedAt,
    notAfter: new Date(issuedAt.getTime() + lifeMs),
  };
}

describe('the rotator', () => {
  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  afterEach(async () => {
    stop.abort();
    await running;
    stop = new AbortController();
  });

  /** Runs a rotator on a script: what the n-th attempt gives. The last entry is repeated. */
  function start(script: readonly ((n: number) => Svid | Error | Promise<Svid | Error>)[]) {
    const credentials = createCredentials();
    const failures: Failure[] = [];
    const attempts: { at: number; current: Svid | null }[] = [];
    const lines: Record<string, unknown>[] = [];
    const rotator = createRotator({
      acquire: async (current) => {
        const n = attempts.push({ at: performance.now(), current }) - 1;
        const given = await script[Math.min(n, script.length - 1)]!(n);
        if (given instanceof Error) throw given;
        return given;
      },
      credentials,
      clock: machineClock,
      random: () => 0.5,
      log: createLog({ level: 'debug', write: (line) => void lines.push(JSON.parse(line)) }),
      onSvid: () => {},
      onFailure: (failure) => void failures.push(failure),
    });
    running = rotator.run(stop.signal);
    return { rotator, credentials, failures, attempts, lines };
  }

  it('renews at half-life, each SVID replacing the last', async () => {
    const { rotator, attempts, credentials } = start([(n) => svid(`s${n}`, 2_000)]);
    while (attempts.length < 3) await wait(20);
    await wait(20);
    attempts.slice(1).forEach(({ at, current }, i) => {
      assert.equal(current?.serial, `s${i}`);
      const gap = at - attempts[i]!.at;
      assert.ok(gap >= 995 && gap < 2_000, `${gap} ms`);
    });
    assert.equal(rotator.status.rotations, attempts.length - 1);
    assert.equal(rotator.status.state, 'serving');
    assert.equal(credentials.current?.serial, `s${attempts.length - 1}`);
  });

  it('keeps the old SVID while renewal fails, and serves nothing from its expiry on', async () => {
    const { rotator, credentials, lines } = start([() => svid('old', 900), unreachable]);
    const seen: (string | null)[] = [];
    credentials.subscribe((current) => void seen.push(current?.serial ?? null));
    await wait(700);
    assert.equal(credentials.current?.serial, 'old');
    assert.equal(rotator.status.state, 'degraded');
    await wait(400);
    assert.equal(credentials.current, null);
    assert.equal(rotator.status.state, 'expired');
    assert.deepEqual(seen, ['old', null]);
    assert.ok(lines.some(({ event, serial }) => event === 'svid_expired' && serial === 'old'));
  });

  it('comes back by itself after an expiry', async () => {
    let down = true;
    const { credentials } = start([
      () => svid('first', 300),
      () => (down ? unreachable() : svid('second', 60_000)),
    ]);
    await wait(400);
    assert.equal(credentials.current, null);
    down = false;
    const { promise, resolve } = Promise.withResolvers<Svid | null>();
    credentials.subscribe(resolve);
    assert.equal((await promise)?.serial, 'second');
  });

  it('is in no hurry after a refusal, and says why', async () => {
    const { attempts, failures, rotator, lines } = start([refused]);
    await wait(1_500);
    assert.equal(attempts.length, 1);
    assert.deepEqual(
      failures.map(({ code, reason }) => [code, reason]),
      [['BROKER_REFUSED', 'entry_disabled']],
    );
    assert.equal(rotator.status.lastFailure?.reason, 'entry_disabled');
    const line = lines.find(({ event }) => event === 'renewal_failed');
    assert.equal(line?.['reason'], 'entry_disabled');
    assert.ok(Number(line?.['next_attempt_ms']) >= 2_000);
  });

  it('stays away as long as the broker asks', async () => {
    const busy = new AcquireError('BROKER_UNAVAILABLE', 'busy', {
      reason: 'rate_limited',
      retryAfterMs: 45_000,
    });
    const { lines } = start([() => busy]);
    await wait(50);
    assert.ok(Number(lines.find(({ event }) => event === 'renewal_failed')?.['next_attempt_ms']) >= 44_000);
  });

  it('rotates when asked to, and tells the outcome', async () => {
    const { rotator, attempts } = start([() => svid('first', 60_000), () => svid('second', 60_000), refused]);
    await wait(20);
    assert.deepEqual(await rotator.rotate(), { ok: true, serial: 'second' });
    const outcome = await rotator.rotate();
    assert.equal(outcome.ok, false);
    assert.equal(attempts.length, 3);
  });

  it('makes one attempt for all who ask while it runs', async () => {
    const { rotator, attempts } = start([
      () => svid('first', 60_000),
      () => wait(100).then(() => svid('second', 60_000)),
    ]);
    await wait(20);
    const outcomes = await Promise.all([rotator.rotate(), wait(50).then(() => rotator.rotate())]);
    assert.deepEqual(outcomes, [
      { ok: true, serial: 'second' },
      { ok: true, serial: 'second' },
    ]);
    assert.equal(attempts.length, 2);
  });

  it('answers those who ask while it ends', async () => {
    const { rotator } = start([() => svid('first', 60_000), () => wait(100).then(unreachable)]);
    await wait(20);
    const asked = rotator.rotate();
    await wait(20);
    stop.abort();
    assert.equal((await asked).ok, false);
  });

  it('survives what it does not expect', async () => {
    const { rotator, credentials } = start([() => new TypeError('a fault'), () => svid('first', 60_000)]);
    await wait(1_000);
    assert.equal(rotator.status.lastFailure?.code, 'INTERNAL');
    assert.equal(credentials.current?.serial, 'first');
  });
});
