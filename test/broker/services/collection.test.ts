import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createCollection } from '../../../broker/services/collection.ts';
import {
  type KubernetesApi,
  KubernetesError,
  type KubernetesEvent,
} from '../../../lib/adapter/kubernetes/index.ts';
import { quiet } from '../../sidecar/support.ts';
import { until } from '../site.ts';

type Thing = {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly resourceVersion?: string };
};
type Step = readonly KubernetesEvent<Thing>[] | KubernetesError;

const thing = (name: string, resourceVersion = '1'): Thing => ({
  metadata: { namespace: 'shop', name, resourceVersion },
});

/** An API server that says what is written down for it, and then keeps its watch open. */
function scripted(lists: readonly (readonly Thing[] | KubernetesError)[], watches: readonly Step[]) {
  const asked: string[] = [];
  let [listed, watched] = [0, 0];
  const api = {
    cluster: 'main',
    async *pages() {
      const items = lists[Math.min(listed++, lists.length - 1)]!;
      asked.push('list');
      if (items instanceof KubernetesError) throw items;
      yield { items, resourceVersion: String(listed * 100) };
    },
    async *watch(_path: string, { resourceVersion }: { resourceVersion: string }, signal: AbortSignal) {
      asked.push(`watch ${resourceVersion}`);
      const step = watches[watched++];
      if (step instanceof KubernetesError) throw step;
      if (step !== undefined) yield* step;
      else await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  };
  return { asked, api: api as unknown as KubernetesApi };
}

async function following(
  lists: readonly (readonly Thing[] | KubernetesError)[],
  watches: readonly Step[],
  so: (names: string, asked: readonly string[]) => boolean,
  resyncMs?: number,
): Promise<readonly string[]> {
  const { asked, api } = scripted(lists, watches);
  const things = createCollection<Thing, string>({
    ...{ api, path: '/things', log: quiet, changed: () => {}, clock: { now: () => new Date() } },
    read: ({ metadata }) => metadata.name,
    random: () => 0,
    ...(resyncMs === undefined ? {} : { resyncMs }),
  });
  const end = new AbortController();
  const running = things.run(end.signal);
  try {
    await until(() => so([...things.records.values()].join(' '), asked), 5_000);
  } finally {
    end.abort();
    await running;
  }
  assert.notEqual(things.seenAt, undefined);
  return asked;
}

describe('broker: objects that are watched', () => {
  it('come, change and go as they are told', async () => {
    const events: KubernetesEvent<Thing>[] = [
      { type: 'ADDED', object: thing('b', '101') },
      { type: 'DELETED', object: thing('a', '102') },
      { type: 'BOOKMARK', object: { metadata: { resourceVersion: '200' } } as Thing },
    ];
    const asked = await following(
      [[thing('a')]],
      [events],
      (names, calls) => names === 'b' && calls.length > 2,
    );
    assert.deepEqual(asked, ['list', 'watch 100', 'watch 200']);
  });

  it('are listed again when the version is no longer kept, and what went meanwhile is gone', async () => {
    const gone = new KubernetesError('K8S_GONE', 'gone');
    const asked = await following(
      [[thing('a')], [thing('b')]],
      [gone],
      (names, calls) => names === 'b' && calls.length > 3,
    );
    assert.deepEqual(asked, ['list', 'watch 100', 'list', 'watch 200']);
  });

  it('are followed from where they stood after a watch that broke', async () => {
    const away = new KubernetesError('K8S_UNAVAILABLE', 'away');
    const asked = await following(
      [[thing('a')]],
      [away, away],
      (names, calls) => names === 'a' && calls.length > 3,
    );
    assert.deepEqual(asked, ['list', 'watch 100', 'watch 100', 'watch 100']);
  });

  it('are asked for again when there is no answer at first', async () => {
    const denied = new KubernetesError('K8S_DENIED', 'denied');
    const asked = await following(
      [denied, [thing('a')]],
      [],
      (names, calls) => names === 'a' && calls.length > 2,
    );
    assert.deepEqual(asked, ['list', 'list', 'watch 200']);
  });

  it('are all read again from time to time', async () => {
    await following([[thing('a')], [thing('b')]], [], (names) => names === 'b', 50);
  });
});
