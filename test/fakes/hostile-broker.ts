import type { Sealed } from '../../lib/manifest/index.ts';
import { onTheWire, type Signed } from '../support/author.ts';
import type { TestCa } from '../support/ca.ts';
import { type ScriptedBroker, startScriptedBroker } from './scripted-broker.ts';

/** What it hands out. */
export type Served = { readonly policies?: Signed; readonly denylist?: Sealed };

/**
 * A broker with a good certificate and bad intentions: it hands out whatever a test puts into its hands, asked for or not, and says at
 * once when there is nothing.
 */
export interface HostileBroker extends AsyncDisposable {
  readonly url: URL;
  readonly ca: string;
  serve(what: Served | 'nothing' | 'drop' | object): void;
  /** Hands this out as an honest broker would: to those whose policies are older than the version. */
  offer(what: Served, version: number): void;
  /** The queries of the polls so far. */
  readonly polls: readonly URLSearchParams[];
}

export async function startHostileBroker(pinned: TestCa): Promise<HostileBroker> {
  const broker: ScriptedBroker = await startScriptedBroker({
    pinned,
    vault: { address: '', root: pinned, wrap: () => '' },
  });
  const polls: URLSearchParams[] = [];
  let until = Number.POSITIVE_INFINITY;
  let served: Served | 'nothing' | 'drop' | object = 'nothing';
  broker.answers['/v1/policies'] = ({ path }) => {
    const poll = new URLSearchParams(path.split('?')[1]);
    polls.push(poll);
    if (Number(poll.get('after')) >= until) return { status: 204, body: undefined };
    if (served === 'drop') return 'drop';
    if (served === 'nothing') return { status: 204, body: undefined };
    return { status: 200, body: wire(served) };
  };
  return {
    url: broker.url,
    ca: broker.ca,
    polls,
    serve(what) {
      served = what;
      until = Number.POSITIVE_INFINITY;
    },
    offer(what, version) {
      served = what;
      until = version;
    },
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

function wire(served: object): object {
  const { policies, denylist } = served as Served;
  if (policies === undefined && denylist === undefined) return served;
  return {
    ...(policies === undefined
      ? {}
      : { policies: { ...onTheWire(policies), documents: policies.documents } }),
    ...(denylist === undefined ? {} : { denylist: onTheWire(denylist) }),
  };
}
