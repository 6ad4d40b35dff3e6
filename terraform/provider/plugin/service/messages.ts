import { diagnosticMessage, diagnosticsOf } from '../diagnostic-message.ts';
import { caution, type Diagnostic } from '../diagnostics.ts';
import type { Private } from '../resource.ts';
import { type DynamicValue, WireError } from '../wire/index.ts';

/** What any request of the protocol may hold, of what we read; names are the protocol's. */
export interface Message {
  readonly type_name: string;
  readonly terraform_version: string;
  readonly id: string;
  readonly version: number;
  readonly config: DynamicValue | null;
  readonly prior_state: DynamicValue | null;
  readonly planned_state: DynamicValue | null;
  readonly current_state: DynamicValue | null;
  readonly proposed_new_state: DynamicValue | null;
  readonly raw_state: { readonly json: Uint8Array; readonly flatmap: object } | null;
  readonly source_state: { readonly json: Uint8Array } | null;
  readonly source_type_name: string;
  readonly source_schema_version: number;
  readonly source_provider_address: string;
  readonly source_private: Uint8Array;
  readonly target_type_name: string;
  readonly private: Uint8Array | null;
  readonly prior_private: Uint8Array;
  readonly planned_private: Uint8Array;
  readonly client_capabilities: { readonly write_only_attributes_allowed: boolean } | null;
}

/** Answers one call. `signal` is aborted when the caller gives it up. */
export type Handler = (request: Message, signal: AbortSignal) => Promise<object>;
export type Handlers = { readonly [rpc: string]: Handler };

/** What was found while answering one call, in the order in which it was found. */
export class Findings {
  readonly #all: Diagnostic[] = [];
  add(...diagnostics: readonly Diagnostic[]): void {
    this.#all.push(...diagnostics);
  }
  readonly warn = ({ summary, detail, path }: Diagnostic): void => this.add(caution(summary, detail, path));
  thrown(error: unknown, what: string): void {
    this.add(...diagnosticsOf(error, what));
  }
  get failed(): boolean {
    return this.#all.some(({ severity }) => severity === 'error');
  }
  get messages(): object[] {
    return this.#all.map(diagnosticMessage);
  }
}

/** @throws WireError `VALUE_MALFORMED` */
export function privateOf(bytes: Uint8Array | null | undefined): Private {
  if (!bytes || bytes.length === 0) return {};
  const kept = parsed(Buffer.from(bytes).toString('utf8'));
  return typeof kept === 'object' && kept !== null && !Array.isArray(kept) ? (kept as Private) : {};
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WireError('VALUE_MALFORMED', 'what was kept for it is not JSON', [], { cause });
  }
}

export function privateBytes(kept: Private): Buffer {
  return Object.keys(kept).length === 0 ? Buffer.alloc(0) : Buffer.from(JSON.stringify(kept));
}
