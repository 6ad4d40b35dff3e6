import { complete, settled } from '../complete.ts';
import { pathMessage } from '../diagnostic-message.ts';
import { ProviderError, problem } from '../diagnostics.ts';
import { isSameButTimeouts, planChange } from '../plan.ts';
import type { Operation, Outcome, Private, ResourceType } from '../resource.ts';
import type { Schema } from '../schema.ts';
import { timeoutOf, withTimeouts, withTimeoutsOf } from '../timeouts.ts';
import { typeOfBody } from '../types.ts';
import type { Values } from '../values.ts';
import { decodeJson, decodeValue, encodeValue, parseJson } from '../wire/index.ts';
import { unknownType, valuesOf } from './configuration.ts';
import { Findings, type Handler, type Handlers, type Message, privateBytes, privateOf } from './messages.ts';
import type { Session } from './session.ts';

/** Planning asks little, and reading what is imported is done afterwards. */
const SOON = 5 * 60_000;

/** A resource type with the schema that the protocol sees. */
interface Known<Client> {
  readonly resource: ResourceType<Client>;
  readonly schema: Schema;
}

/** The life of managed resources. */
export function resourceHandlers<Client>(session: Session<Client>): Handlers {
  const known = new Map(
    session.provider.resources.map((resource) => [
      resource.name,
      { resource, schema: withTimeouts(resource.schema, resource.timeouts) },
    ]),
  );
  const of =
    (answer: (type: Known<Client>, request: Message, signal: AbortSignal) => Promise<object>): Handler =>
    async (request, signal) => {
      const type = known.get(request.type_name);
      return type ? answer(type, request, signal) : { diagnostics: unknownType(request.type_name).messages };
    };
  return {
    PlanResourceChange: of((type, request, signal) => plan(session, type, request, signal)),
    ApplyResourceChange: of((type, request, signal) => apply(session, type, request, signal)),
    ReadResource: of((type, request, signal) => read(session, type, request, signal)),
    ImportResourceState: of((type, request, signal) => importState(session, type, request, signal)),
    UpgradeResourceState: of((type, request, signal) => upgrade(session, type, request, signal)),
    MoveResourceState: async (request) => {
      const findings = new Findings();
      findings.add(
        problem(
          `${request.target_type_name} cannot take over a ${request.source_type_name}`,
          'Remove the one from the state and import the other.',
        ),
      );
      return { diagnostics: findings.messages };
    },
    UpgradeResourceIdentity: async () => ({ diagnostics: [] }),
  };
}

async function plan<Client>(
  session: Session<Client>,
  { resource, schema }: Known<Client>,
  request: Message,
  signal: AbortSignal,
): Promise<object> {
  const findings = new Findings();
  const done = await session.run(`${resource.name}: plan`, signal, SOON, async (within) => {
    const type = typeOfBody(schema);
    if (decodeValue(request.proposed_new_state, type) === null)
      return { planned_state: encodeValue(null, type), planned_private: request.prior_private };
    const prior = decodeValue(request.prior_state, type) as Values | null;
    const config = valuesOf(request.config, schema);
    const { planned, requiresReplace } = planChange(schema, prior, config);
    const kept = privateOf(request.prior_private);
    const { warn } = findings;
    const client = session.clientIfAny;
    const adjusted = await resource.plan?.({
      client,
      signal: within,
      config,
      prior,
      planned,
      private: kept,
      warn,
    });
    return {
      planned_state: encodeValue(complete(schema, adjusted?.planned ?? planned), type),
      planned_private: privateBytes(adjusted?.private ?? kept),
      requires_replace: [...requiresReplace, ...(adjusted?.requiresReplace ?? [])].map(pathMessage),
    };
  });
  if ('error' in done) findings.add(...done.diagnostics);
  return {
    planned_state: request.prior_state,
    planned_private: request.prior_private,
    ...('value' in done && done.value),
    diagnostics: findings.messages,
  };
}

async function apply<Client>(
  session: Session<Client>,
  known: Known<Client>,
  request: Message,
  signal: AbortSignal,
): Promise<object> {
  const { resource, schema } = known;
  const findings = new Findings();
  const type = typeOfBody(schema);
  let prior: Values | null = null;
  let planned: Values | null = null;
  let config: Values = {};
  let kept: Private = {};
  try {
    prior = decodeValue(request.prior_state, type) as Values | null;
    planned = decodeValue(request.planned_state, type) as Values | null;
    config = valuesOf(request.config, schema);
    kept = privateOf(request.planned_private);
  } catch (error) {
    findings.thrown(error, `${resource.name}: apply`);
    return {
      new_state: request.prior_state,
      private: request.planned_private,
      diagnostics: findings.messages,
    };
  }
  const operation: Operation = planned === null ? 'delete' : prior === null ? 'create' : 'update';
  const ms = timeoutOf(operation, resource.timeouts, planned ?? prior ?? {});
  const done = await session.run(
    `${resource.name}: ${operation}`,
    signal,
    ms,
    async (within): Promise<Outcome | undefined> => {
      if (planned === null && prior === null) return undefined;
      if (planned !== null && prior !== null && isSameButTimeouts(schema, planned, prior))
        return { state: planned };
      const { client } = session;
      const base = { client, signal: within, private: kept, warn: findings.warn };
      if (planned === null) {
        await resource.remove({ ...base, state: prior! });
        return undefined;
      }
      if (prior === null) return resource.create({ ...base, config, planned });
      return resource.update({ ...base, config, planned, prior });
    },
  );
  const answer = (state: Values | null, bytes: Uint8Array) => ({
    new_state: encodeValue(state, type),
    private: bytes,
    diagnostics: findings.messages,
  });
  if ('value' in done) {
    if (done.value === undefined) return answer(null, Buffer.alloc(0));
    const { state, private: next } = done.value;
    try {
      return answer(whole(schema, state, planned!), privateBytes(next ?? kept));
    } catch (error) {
      findings.thrown(error, `${resource.name}: ${operation}`);
      // It exists: as good as it is known, so that the next run can find it.
      return answer(settled(planned!), request.planned_private);
    }
  }
  findings.add(...done.diagnostics);
  const partial = done.error instanceof ProviderError ? done.error.state : undefined;
  if (partial === undefined || planned === null)
    return {
      new_state: request.prior_state,
      private: request.planned_private,
      diagnostics: findings.messages,
    };
  return answer(settled(whole(schema, partial, planned)), request.planned_private);
}

async function read<Client>(
  session: Session<Client>,
  { resource, schema }: Known<Client>,
  request: Message,
  signal: AbortSignal,
): Promise<object> {
  const findings = new Findings();
  const type = typeOfBody(schema);
  let ms = SOON;
  let state: Values = {};
  let kept: Private = {};
  try {
    state = valuesOf(request.current_state, schema);
    kept = privateOf(request.private);
    ms = timeoutOf('read', resource.timeouts, state);
  } catch (error) {
    findings.thrown(error, `${resource.name}: read`);
  }
  const done = findings.failed
    ? undefined
    : await session.run(`${resource.name}: read`, signal, ms, async (within) => {
        const { client } = session;
        const found = await resource.read({
          client,
          signal: within,
          state,
          private: kept,
          warn: findings.warn,
        });
        if (found === undefined) return { new_state: encodeValue(null, type), private: Buffer.alloc(0) };
        return {
          new_state: encodeValue(whole(schema, found.state, state), type),
          private: privateBytes(found.private ?? kept),
        };
      });
  if (done && 'error' in done) findings.add(...done.diagnostics);
  return {
    new_state: request.current_state,
    private: request.private,
    ...(done && 'value' in done && done.value),
    diagnostics: findings.messages,
  };
}

async function importState<Client>(
  session: Session<Client>,
  { resource, schema }: Known<Client>,
  request: Message,
  signal: AbortSignal,
): Promise<object> {
  const findings = new Findings();
  const done = await session.run(`${resource.name}: import`, signal, SOON, async (within) => {
    if (!resource.import) throw new ProviderError(problem(`A ${resource.name} cannot be imported`));
    const { client } = session;
    const { id } = request;
    const found = await resource.import({ client, signal: within, private: {}, warn: findings.warn, id });
    return {
      type_name: resource.name,
      state: encodeValue(whole(schema, found.state, {}), typeOfBody(schema)),
      private: privateBytes(found.private ?? {}),
    };
  });
  if ('error' in done) findings.add(...done.diagnostics);
  return { imported_resources: 'value' in done ? [done.value] : [], diagnostics: findings.messages };
}

async function upgrade<Client>(
  session: Session<Client>,
  { resource, schema }: Known<Client>,
  request: Message,
  signal: AbortSignal,
): Promise<object> {
  const findings = new Findings();
  const type = typeOfBody(schema);
  const done = await session.run(`${resource.name}: upgrade of the state`, signal, SOON, async () => {
    const json = request.raw_state?.json;
    if (!json || json.length === 0)
      throw new ProviderError(problem('The state is older than Terraform 0.12'));
    const version = Number(request.version);
    const current = schema.version ?? 0;
    if (version > current)
      throw new ProviderError(
        problem(`The state of this ${resource.name} was written by a newer version of the provider`),
      );
    if (version === current || !resource.upgrade) return encodeValue(decodeJson(json, type), type);
    const earlier = parseJson(json) as { readonly [name: string]: unknown };
    return encodeValue(complete(schema, resource.upgrade(version, earlier)), type);
  });
  if ('error' in done) findings.add(...done.diagnostics);
  return { ...('value' in done && { upgraded_state: done.value }), diagnostics: findings.messages };
}

/** A state as it is kept: whole, and with the timeouts that were there. */
function whole(schema: Schema, state: Values, before: Values): Values {
  return complete(schema, withTimeoutsOf(before, state, schema));
}
