import { checkConfig } from '../config-check.ts';
import type { Diagnostic } from '../diagnostics.ts';
import { problem } from '../diagnostics.ts';
import type { Timeouts } from '../resource.ts';
import type { Schema } from '../schema.ts';
import { withTimeouts } from '../timeouts.ts';
import { typeOfBody } from '../types.ts';
import type { Values } from '../values.ts';
import { type DynamicValue, decodeValue } from '../wire/index.ts';
import { Findings, type Handler, type Handlers, type Message } from './messages.ts';
import type { Session } from './session.ts';

/** Validation asks nobody, and configuring waits for nobody. */
const SOON = 60_000;

interface Checked {
  readonly name: string;
  readonly schema: Schema;
  readonly timeouts?: Timeouts;
  validate?(config: Values): readonly Diagnostic[] | Promise<readonly Diagnostic[]>;
}

/** Configurations: what is wrong with one, and the provider's own. */
export function configurationHandlers<Client>(session: Session<Client>): Handlers {
  const { provider } = session;
  const validating =
    (types: readonly Checked[]): Handler =>
    async (request, signal) => {
      const type = types.find(({ name }) => name === request.type_name);
      if (!type) return { diagnostics: unknownType(request.type_name).messages };
      return { diagnostics: (await validate(session, type, request, signal)).messages };
    };
  return {
    ValidateProviderConfig: async (request, signal) => ({
      diagnostics: (await validate(session, provider, request, signal)).messages,
    }),
    ConfigureProvider: async (request, signal) => {
      const findings = new Findings();
      const done = await session.run(`provider ${provider.name}`, signal, SOON, (within) =>
        provider.configure({
          config: valuesOf(request.config, provider.schema),
          terraformVersion: request.terraform_version,
          signal: within,
        }),
      );
      if ('value' in done) session.configured(done.value);
      else findings.add(...done.diagnostics);
      return { diagnostics: findings.messages };
    },
    ValidateResourceConfig: validating(provider.resources),
    ValidateDataResourceConfig: validating(provider.dataSources),
    ValidateEphemeralResourceConfig: validating(provider.ephemeralResources),
  };
}

async function validate<Client>(
  session: Session<Client>,
  type: Checked,
  request: Message,
  signal: AbortSignal,
): Promise<Findings> {
  const findings = new Findings();
  const schema = withTimeouts(type.schema, type.timeouts);
  const done = await session.run(`${type.name}: validation`, signal, SOON, async () => {
    const config = valuesOf(request.config, schema);
    // Those who know nothing of write-only values do not say so either.
    const writeOnlyAllowed = request.client_capabilities?.write_only_attributes_allowed === true;
    findings.add(...checkConfig(schema, config, { writeOnlyAllowed }));
    findings.add(...((await type.validate?.(config)) ?? []));
  });
  if ('error' in done) findings.add(...done.diagnostics);
  return findings;
}

/** An object by its schema. @throws WireError when it is none, or null */
export function valuesOf(given: DynamicValue | null, schema: Schema): Values {
  return (decodeValue(given, typeOfBody(schema)) ?? {}) as Values;
}

export function unknownType(name: string): Findings {
  const findings = new Findings();
  findings.add(problem(`The provider has no type ${name}`));
  return findings;
}
