import assert from 'node:assert/strict';
import { whileBusy } from '../../../terraform/provider/plugin/index.ts';
import { createService, type Message } from '../../../terraform/provider/plugin/service/index.ts';
import { withTimeouts } from '../../../terraform/provider/plugin/timeouts.ts';
import { typeOfBody } from '../../../terraform/provider/plugin/types.ts';
import { encodeValue } from '../../../terraform/provider/plugin/wire/index.ts';
import { probe } from './probe/provider.ts';
import { thing } from './probe/thing.ts';

class BusyError extends Error {
  readonly after: number | undefined;
  constructor(after?: number) {
    super('busy');
    this.after = after;
  }
}

const isBusy = (error: unknown) =>
  error instanceof BusyError ? (error.after === undefined ? {} : { after: error.after }) : undefined;

describe('a request to one who is busy', () => {
  const quick = { isBusy, first: 1, longest: 60, signal: new AbortController().signal };

  it('is made again until it is answered, and no sooner than was asked for', async () => {
    const at: number[] = [];
    const answer = await whileBusy(async () => {
      at.push(performance.now());
      if (at.length < 3) throw new BusyError(at.length === 1 ? 50 : undefined);
      return 'done';
    }, quick);
    assert.deepEqual([answer, at.length], ['done', 3]);
    assert.ok(at[1]! - at[0]! >= 49);
  });

  it('is not made again when it was refused, nor more often than is allowed, nor later than the longest wait', async () => {
    let tried = 0;
    const attempt = (error: Error) => async () => {
      tried += 1;
      throw error;
    };
    await assert.rejects(whileBusy(attempt(new TypeError('refused')), quick), TypeError);
    assert.equal(tried, 1);
    await assert.rejects(whileBusy(attempt(new BusyError(3_600_000)), { ...quick, attempts: 3 }), BusyError);
    assert.equal(tried, 4);
  });

  it('is given up at once when its signal says so, also within a wait', async () => {
    const given = new AbortController();
    const reason = new Error('given up');
    const waiting = whileBusy(
      async () => {
        setImmediate(() => given.abort(reason));
        throw new BusyError();
      },
      { isBusy, first: 3_600_000, longest: 3_600_000, signal: given.signal },
    );
    await assert.rejects(waiting, reason);
  });
});

describe('work that does not stop when it is told to', () => {
  it('is answered for all the same, some time after its timeout', async function () {
    this.timeout(60_000);
    const deaf = { ...thing, timeouts: { create: 10 }, create: () => new Promise<never>(() => {}) };
    const service = createService({ ...probe, resources: [deaf] }, () => {});
    const signal = new AbortController().signal;
    const config = encodeValue({ store: '.', key: null }, typeOfBody(probe.schema));
    await service['ConfigureProvider']!({ config } as unknown as Message, signal);
    const type = typeOfBody(withTimeouts(deaf.schema, deaf.timeouts));
    const empty = Object.fromEntries(Object.keys(type.object).map((name) => [name, null]));
    const planned = encodeValue({ ...empty, name: 'a', port: [] }, type);
    const request = {
      type_name: deaf.name,
      prior_state: encodeValue(null, type),
      planned_state: planned,
      config: planned,
    };
    const answer = await service['ApplyResourceChange']!(request as unknown as Message, signal);
    assert.match(JSON.stringify(answer), /probe_thing: create: timed out/);
  });
});
