import { complete } from '../complete.ts';
import { ProviderError, problem } from '../diagnostics.ts';
import type { EphemeralResource, Opened, Request } from '../resource.ts';
import { typeOfBody } from '../types.ts';
import { encodeValue } from '../wire/index.ts';
import { unknownType, valuesOf } from './configuration.ts';
import { Findings, type Handler, type Handlers, type Message, privateBytes, privateOf } from './messages.ts';
import type { Session } from './session.ts';

const TIME = 5 * 60_000;

/** Values that live as long as a run. */
export function ephemeralHandlers<Client>(session: Session<Client>): Handlers {
  type Doing = (type: EphemeralResource<Client>, request: Message, base: Request<Client>) => Promise<object>;
  const doing =
    (what: string, work: Doing): Handler =>
    async (request, signal) => {
      const type = session.provider.ephemeralResources.find(({ name }) => name === request.type_name);
      if (!type) return { diagnostics: unknownType(request.type_name).messages };
      const findings = new Findings();
      const done = await session.run(`${type.name}: ${what}`, signal, TIME, async (within) =>
        work(type, request, {
          client: session.client,
          signal: within,
          private: privateOf(request.private),
          warn: findings.warn,
        }),
      );
      if ('error' in done) findings.add(...done.diagnostics);
      return { ...('value' in done && done.value), diagnostics: findings.messages };
    };
  return {
    OpenEphemeralResource: doing('open', async (type, request, base) => {
      const opened = await type.open({ ...base, config: valuesOf(request.config, type.schema) });
      const result = encodeValue(complete(type.schema, opened.result), typeOfBody(type.schema));
      return { result, ...lasting(opened, type) };
    }),
    RenewEphemeralResource: doing('renew', async (type, _request, base) => {
      if (!type.renew) throw new ProviderError(problem(`A ${type.name} cannot be renewed`));
      const renewed = await type.renew(base);
      return lasting({ private: base.private, ...renewed }, type);
    }),
    CloseEphemeralResource: doing('close', async (type, _request, base) => {
      await type.close?.(base);
      return {};
    }),
  };
}

function lasting(
  { renewAt, private: kept }: Omit<Opened, 'result'>,
  type: { readonly renew?: unknown },
): object {
  return {
    ...(renewAt && type.renew !== undefined && { renew_at: timestamp(renewAt) }),
    ...(kept && { private: privateBytes(kept) }),
  };
}

function timestamp(at: Date): { seconds: number; nanos: number } {
  const ms = at.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1_000_000 };
}
