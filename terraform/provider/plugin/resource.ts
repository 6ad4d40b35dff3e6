import type { Diagnostic, Path } from './diagnostics.ts';
import type { Schema } from './schema.ts';
import type { Values } from './values.ts';

/**
 * `Client` is what `Provider.configure` made. It is undefined where the provider was not configured, or could not be since something in its
 * configuration is known only after apply: then only `plan` may be called.
 */
export interface Provider<Client = unknown> {
  /** Types of resources begin with it and an underscore. */
  readonly name: string;
  readonly version: string;
  readonly schema: Schema;
  /** Judges the whole configuration; values may be `UNKNOWN`. */
  validate?(config: Values): readonly Diagnostic[] | Promise<readonly Diagnostic[]>;
  /** Makes no request that could wait for another time. Undefined when it cannot yet, since something needed is `UNKNOWN`. */
  configure(request: ConfigureRequest): Promise<Client | undefined>;
  readonly resources: readonly ResourceType<Client>[];
  readonly dataSources: readonly DataSource<Client>[];
  readonly ephemeralResources: readonly EphemeralResource<Client>[];
}

export interface ConfigureRequest {
  readonly config: Values;
  /** Terraform's, or OpenTofu's. */
  readonly terraformVersion: string;
  readonly signal: AbortSignal;
}

/** Kept beside the state, not shown and not encrypted: no secret. Plain JSON. */
export type Private = { readonly [key: string]: unknown };

export type Operation = 'create' | 'read' | 'update' | 'delete';

/** Milliseconds. Each named operation gets this bound, and the configuration a block `timeouts` to set another (`"90s"`, `"10m"`, `"1h30m"`). */
export type Timeouts = { readonly [operation in Operation]?: number };

export interface Request<Client> {
  readonly client: Client;
  /** Aborted when the person interrupts, or the operation's timeout has passed. Stop then, and throw. */
  readonly signal: AbortSignal;
  /** As the last answer for this resource left it; empty at first. */
  readonly private: Private;
  /** Told to the person along with the outcome. */
  warn(diagnostic: Diagnostic): void;
}

/**
 * What is there now. `state` holds every attribute but the write-only, whose place is null either way; an attribute that is left out is
 * null. After create and update every attribute that was known in `planned` must be as planned, and nothing may be `UNKNOWN`.
 */
export interface Outcome {
  readonly state: Values;
  /** Replaces what was kept; without it that stays. */
  readonly private?: Private;
}

export interface ResourceType<Client = unknown> {
  /** `signet_entry`. */
  readonly name: string;
  readonly schema: Schema;
  readonly timeouts?: Timeouts;
  /** Judges the whole configuration, beyond what the attributes' own `validate` does; values may be `UNKNOWN`. Asks nobody. */
  validate?(config: Values): readonly Diagnostic[] | Promise<readonly Diagnostic[]>;
  /** Adjusts a plan that was made by the schema, where that is not enough. Not called for a removal. */
  plan?(request: PlanRequest<Client>): PlanAdjustment | Promise<PlanAdjustment>;
  create(request: ChangeRequest<Client>): Promise<Outcome>;
  /** Undefined: it is gone, and is planned anew. Anything that differs from the state is shown as drift. */
  read(request: ReadRequest<Client>): Promise<Outcome | undefined>;
  update(request: UpdateRequest<Client>): Promise<Outcome>;
  /** Removed already is removed. */
  remove(request: ReadRequest<Client>): Promise<void>;
  /** Enough of a state for `read`, which is called next; without it the resource cannot be imported. `id` is what the person wrote. */
  import?(request: Request<Client> & { readonly id: string }): Promise<Outcome>;
  /** Brings the JSON of a state of an earlier schema version up to now. */
  upgrade?(version: number, state: { readonly [name: string]: unknown }): Values;
}

export interface PlanRequest<Client> {
  /** Undefined: see `Provider`. */
  readonly client: Client | undefined;
  readonly signal: AbortSignal;
  /** As written, with `UNKNOWN`s and write-only values. */
  readonly config: Values;
  /** Null when it will be created. */
  readonly prior: Values | null;
  /** By the schema: defaults set, what is computed unknown or as it was. */
  readonly planned: Values;
  readonly private: Private;
  warn(diagnostic: Diagnostic): void;
}

export interface PlanAdjustment {
  /** Instead of the given plan. What the configuration sets must stay as it is; only computed attributes can differ. */
  readonly planned?: Values;
  /** Further attributes whose change needs another resource. */
  readonly requiresReplace?: readonly Path[];
  readonly private?: Private;
}

export interface ChangeRequest<Client> extends Request<Client> {
  /** As written; the only place of write-only values. */
  readonly config: Values;
  /** What was promised. `UNKNOWN` is what the outcome decides. */
  readonly planned: Values;
}

export interface UpdateRequest<Client> extends ChangeRequest<Client> {
  readonly prior: Values;
}

export interface ReadRequest<Client> extends Request<Client> {
  readonly state: Values;
}

export interface DataSource<Client = unknown> {
  readonly name: string;
  readonly schema: Schema;
  /** `read` alone. */
  readonly timeouts?: Timeouts;
  validate?(config: Values): readonly Diagnostic[] | Promise<readonly Diagnostic[]>;
  /** All of its attributes; the configuration's stay as they are. */
  read(request: Omit<Request<Client>, 'private'> & { readonly config: Values }): Promise<Values>;
}

/** A value that lives as long as a run and is in no plan and no state. */
export interface EphemeralResource<Client = unknown> {
  readonly name: string;
  readonly schema: Schema;
  validate?(config: Values): readonly Diagnostic[] | Promise<readonly Diagnostic[]>;
  open(request: Omit<Request<Client>, 'private'> & { readonly config: Values }): Promise<Opened>;
  /** Called at `renewAt`, as often as it is given. */
  renew?(request: Request<Client>): Promise<Omit<Opened, 'result'>>;
  /**
   * Called when nothing needs it any more, also after an interrupt; not when the run was killed. OpenTofu passes what `renew` left, Terraform
   * what `open` did: what is needed here must be in both.
   */
  close?(request: Request<Client>): Promise<void>;
}

export interface Opened {
  readonly result: Values;
  readonly renewAt?: Date;
  /** Passed to `renew` and `close`, in memory only. */
  readonly private?: Private;
}
