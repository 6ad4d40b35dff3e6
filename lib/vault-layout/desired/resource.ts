/** What Vault gives back for a setting: durations are seconds where Vault gives seconds. */
export type Value = string | number | boolean | readonly string[];

/** One field that has to have one value, and what an attacker could do if it had another. */
export type Setting = { readonly name: string; readonly want: Value; readonly allows: string };

/** One thing in Vault that is read and written as a whole: a role, a key, a configuration. */
export type Resource = {
  /** Stable, for `doctor --json`: `pki-role-workload`. */
  readonly id: string;
  /** Where it is read; also what people are told. */
  readonly path: string;
  readonly settings: readonly Setting[];
  /** What its absence means. */
  readonly missing: string;
  readonly write: {
    /** Makes it. Not given: it is always there. */
    readonly create?: { readonly path: string; readonly body: object };
    /** Changes it: all settings at once, or only those that differ. Not given: it cannot be changed. */
    readonly update?: { readonly path: string; readonly send: 'all' | 'changed' };
    /** Settings that Vault never changes back. */
    readonly final?: readonly string[];
  };
};

export type Difference = { readonly setting: Setting; readonly found: unknown };

/** The settings in which what Vault has is not what the layout has. */
export function differences(
  resource: Pick<Resource, 'settings'>,
  found: Readonly<Record<string, unknown>>,
): Difference[] {
  return resource.settings
    .filter((setting) => !isSame(setting.want, found[setting.name]))
    .map((setting) => ({ setting, found: found[setting.name] }));
}

/** The settings as a request body. */
export function bodyOf(settings: Iterable<Setting>): Record<string, Value> {
  return Object.fromEntries(Array.from(settings, ({ name, want }) => [name, want]));
}

/** A value as people read it. */
export function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}

/** Vault leaves out what is empty, and keeps lists in no order. */
function isSame(want: Value, found: unknown): boolean {
  if (typeof want === 'string') return want === (found ?? '');
  if (typeof want === 'number') return want === Number(found ?? 0);
  if (typeof want === 'boolean') return want === (found ?? false);
  const items = Array.isArray(found)
    ? found.map(String)
    : found === undefined || found === null || found === ''
      ? []
      : [String(found)];
  return want.length === items.length && [...want].sort().every((item, i) => item === items.sort()[i]);
}
