import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { startChild } from '../../../harness/child.ts';
import { sleep } from '../../../lib/adapter/lifecycle.ts';

describe('sleep', () => {
  for (const [what, ms, signal, atLeast] of [
    ['the time it is given', 30, undefined, 28],
    ['no time for 0', 0, undefined, 0],
    ['until its signal fires', 20_000, () => AbortSignal.timeout(30), 28],
    ['no time when its signal has fired', 20_000, () => AbortSignal.abort(), 0],
    ['longer than Node’s longest timer', 2 ** 31, () => AbortSignal.timeout(100), 98],
  ] as const) {
    it(`waits ${what}, and does not throw`, async () => {
      const start = performance.now();
      await sleep(ms, signal?.());
      const waited = performance.now() - start;
      assert.ok(waited >= atLeast && waited < 10_000, `waited ${waited} ms`);
    });
  }
});

describe('sleep in a loop', () => {
  for (const ms of [0, -1, Number.NaN]) {
    it(`of ${ms} lets others run`, async () => {
      let ran = false;
      setImmediate(() => {
        ran = true;
      });
      for (let round = 0; round < 50 && !ran; round++) await sleep(ms);
      assert.ok(ran);
    });
  }
});

describe('untilStopped', () => {
  const program = `
    import { untilStopped } from ${JSON.stringify(new URL('../../../lib/adapter/lifecycle.ts', import.meta.url))};
    const signal = untilStopped();
    const alive = setTimeout(() => process.exit(9), 10_000);
    signal.addEventListener('abort', () => {
      console.error('stopped by ' + signal.reason);
      if (process.argv[1] === 'obedient') clearTimeout(alive);
    });
    console.error('ready');`;

  for (const [name, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    for (const [manner, want] of [
      ['obedient', 0],
      ['deaf', code],
    ] as const) {
      it(`tells of ${name}; ${manner === 'deaf' ? `a second one ends the process with ${code}` : 'then the process may end by itself'}`, async () => {
        await using child = await startChild(process.execPath, [
          '--input-type=module',
          '-e',
          program,
          manner,
        ]);
        child.onErrorLine((line) => {
          if (line === 'ready') child.send(name);
          if (line === `stopped by ${name}` && manner === 'deaf') child.send(name);
        });
        assert.deepEqual(await child.ended, { code: want, signal: null });
        assert.match(child.stderr(), new RegExp(`stopped by ${name}`));
      });
    }
  }
});
