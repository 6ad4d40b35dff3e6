export { caution, type Diagnostic, type Path, ProviderError, problem } from './diagnostics.ts';
export type {
  ChangeRequest,
  ConfigureRequest,
  DataSource,
  EphemeralResource,
  Opened,
  Operation,
  Outcome,
  PlanAdjustment,
  PlanRequest,
  Private,
  Provider,
  ReadRequest,
  Request,
  ResourceType,
  Timeouts,
  UpdateRequest,
} from './resource.ts';
export { type Busy, whileBusy } from './retry.ts';
export type { Attribute, Block, Body, Nesting, Schema, Type } from './schema.ts';
export { serve } from './serve/index.ts';
export {
  Decimal,
  Dynamic,
  isKnown,
  isValues,
  UNKNOWN,
  type Unknown,
  type Value,
  type Values,
} from './values.ts';
