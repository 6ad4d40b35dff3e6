import { type Diagnostic, type Path, ProviderError, problem } from './diagnostics.ts';
import { WireError } from './wire/index.ts';

const SEVERITY = { error: 1, warning: 2 } as const;

/** A diagnostic as the protocol's message. */
export function diagnosticMessage({ severity, summary, detail, path }: Diagnostic): object {
  return {
    severity: SEVERITY[severity],
    summary,
    detail: detail ?? '',
    ...(path && path.length > 0 && { attribute: pathMessage(path) }),
  };
}

export function pathMessage(path: Path): object {
  return {
    steps: path.map((step) => {
      if (typeof step === 'string') return { attribute_name: step };
      return typeof step === 'number' ? { element_key_int: step } : { element_key_string: step.key };
    }),
  };
}

/**
 * What is told of something thrown while doing `what`. Of an error that no resource meant for the person, only its code: its message and
 * stack may hold values.
 */
export function diagnosticsOf(error: unknown, what: string): readonly Diagnostic[] {
  if (error instanceof ProviderError) return error.diagnostics;
  if (error instanceof WireError)
    return [
      problem(
        `${what}: ${error.message}`,
        `A value does not fit the schema (${error.code}). This is a fault of the provider or of what drives it.`,
        error.path,
      ),
    ];
  return [
    problem(
      `${what} failed unexpectedly (${codeOf(error)})`,
      'This is a fault of the provider. Its log (TF_LOG_PROVIDER=ERROR) says where it happened.',
    ),
  ];
}

/** A name without values: an error's code where it has one, else the name of its class. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'THROWN';
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[A-Za-z][A-Za-z0-9_]{1,60}$/.test(code)) return code;
  return /^[A-Za-z][A-Za-z0-9_]{1,60}$/.test(error.name) ? error.name : 'Error';
}

/** Where an error happened: its stack without the message. */
export function placesOf(error: unknown): string[] {
  const stack = error instanceof Error ? String(error.stack ?? '') : '';
  return stack.split('\n').filter((line) => /^ {4}at /.test(line));
}
