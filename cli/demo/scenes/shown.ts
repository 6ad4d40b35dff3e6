import type { Service } from '../service.ts';

/** What a scene showed. A scene that did not see what it promises throws. */
export type Shown<T> = { readonly title: string; readonly facts: string; readonly found: T };

export type Answer = { readonly status: number; readonly body: string };

const PATIENCE_MS = 10_000;

/** Asks a service's app, as a user of it would. */
export async function ask(
  { appPort }: Service,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(`http://127.0.0.1:${appPort}${path}`, { method, headers, signal });
  return { status: answer.status, body: await answer.text() };
}

export function expect(condition: boolean, what: string, seen: object): asserts condition {
  if (!condition) throw new Error(`expected ${what}, saw ${JSON.stringify(seen)}`);
}
