import { codeOf, diagnosticsOf, placesOf } from '../diagnostic-message.ts';
import { type Diagnostic, ProviderError, problem } from '../diagnostics.ts';
import type { Provider } from '../resource.ts';
import { timedOut } from '../timeouts.ts';
import { WireError } from '../wire/index.ts';

export type Log = (fields: { readonly [name: string]: unknown }) => void;

/** What does not stop when it is told to is waited for no longer than this. */
const GRACE = 5000;

type Work<T> = (signal: AbortSignal) => Promise<T>;
export type Outcome<T> =
  | { readonly value: T }
  | { readonly error: unknown; readonly diagnostics: readonly Diagnostic[] };

/** One run's use of the provider: its client once it is configured, and what is under way. */
export class Session<Client> {
  readonly provider: Provider<Client>;
  readonly #log: Log;
  #client: Client | undefined;
  #stopped = new AbortController();

  constructor(provider: Provider<Client>, log: Log) {
    this.provider = provider;
    this.#log = log;
  }

  get clientIfAny(): Client | undefined {
    return this.#client;
  }

  configured(client: Client | undefined): void {
    this.#client = client;
  }

  /** @throws ProviderError where there is none */
  get client(): Client {
    if (this.#client !== undefined) return this.#client;
    throw new ProviderError(
      problem(
        'The provider is not configured yet',
        'Something in its configuration is known only after apply. Apply what it comes from first, with -target.',
      ),
    );
  }

  /** The person interrupts: what is under way is told, and what comes later (closing what is open) is not. */
  stop(): void {
    this.#stopped.abort(new DOMException('interrupted', 'AbortError'));
    this.#stopped = new AbortController();
  }

  /** Does a piece of work within its time. What goes wrong is an answer too. */
  async run<T>(what: string, call: AbortSignal, ms: number, work: Work<T>): Promise<Outcome<T>> {
    const stopped = this.#stopped.signal;
    const late = AbortSignal.timeout(ms);
    try {
      const signal = AbortSignal.any([call, stopped, late]);
      return { value: await bounded(work(signal), signal) };
    } catch (error) {
      if (error instanceof ProviderError) return { error, diagnostics: error.diagnostics };
      // Either may come while the other's doing is taken back: the first is why.
      if (stopped.aborted || call.aborted) return { error, diagnostics: [interrupted(what)] };
      if (late.aborted) return { error, diagnostics: [timedOut(what, ms)] };
      this.#tell(what, error);
      return { error, diagnostics: diagnosticsOf(error, what) };
    }
  }

  #tell(what: string, error: unknown): void {
    const path = error instanceof WireError ? { at: JSON.stringify(error.path) } : {};
    this.#log({ '@message': `${what} failed`, code: codeOf(error), ...path, places: placesOf(error) });
  }
}

function interrupted(what: string): Diagnostic {
  return problem(
    `${what}: interrupted`,
    'It was given up (INTERRUPTED). What was begun may have happened: the next run finds out.',
  );
}

/** The work's own end, or some time after its signal that end which never came. */
async function bounded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const begin = () => {
    timer = setTimeout(() => reject(signal.reason), GRACE);
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    signal.removeEventListener('abort', begin);
    clearTimeout(timer);
  }
}
