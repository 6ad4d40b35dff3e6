import convict from 'convict';
import { SignetError } from '../errors.ts';

/** One variable of the environment. */
export type Setting = { readonly fallback: string; readonly doc: string };
export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything that is wrong with the environment, by variable, for a user to mend in one go. */
export class ConfigError extends SignetError<'CONFIG_INVALID'> {
  override readonly name = 'ConfigError';
  readonly defects: readonly string[];
  constructor(defects: readonly string[]) {
    super('CONFIG_INVALID', defects.join('\n'));
    this.defects = defects;
  }
}

/** Each setting as text, its fallback where the environment has nothing or an empty text. */
export function readSettings<Name extends string>(
  settings: Readonly<Record<Name, Setting>>,
  environment: Environment,
): Readonly<Record<Name, string>> {
  const names = Object.keys(settings) as Name[];
  const filled = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
  const schema = Object.fromEntries(
    names.map((name) => {
      const { fallback, doc } = settings[name];
      return [name, { format: String, default: fallback, env: name, doc, sensitive: true }];
    }),
  );
  const read = convict<Record<string, string>>(schema, { env: filled as NodeJS.ProcessEnv, args: [] });
  return Object.fromEntries(names.map((name) => [name, read.get(name).trim()])) as Record<Name, string>;
}

/**
 * Variables that look like ours and are not: a mistyped name would otherwise be a setting silently not made.
 * Those that Kubernetes makes of a service called `signet-…` are not meant.
 */
export function unknownSettings(
  settings: Readonly<Record<string, Setting>>,
  environment: Environment,
): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('SIGNET_') && !Object.hasOwn(settings, name))
    .filter((name) => !/_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)/.test(name))
    .sort();
}
