import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ADMISSION_SCHEMAS } from '../../broker/admission/review.ts';
import { createApp } from '../../broker/app.ts';
import { createAttestors } from '../../broker/attestors/index.ts';
import { openApiDocument } from '../../broker/openapi.ts';
import { PROBLEM_CODES } from '../../broker/problem.ts';
import { admissionRoutes } from '../../broker/routes/admission.ts';
import { attestationRoutes } from '../../broker/routes/attestation.ts';
import { auditRoutes } from '../../broker/routes/audit.ts';
import { callRoutes } from '../../broker/routes/calls.ts';
import { delegationRoutes } from '../../broker/routes/delegations.ts';
import { entryRoutes } from '../../broker/routes/entries.ts';
import { explanationRoutes } from '../../broker/routes/explanations.ts';
import { policyRoutes } from '../../broker/routes/policies.ts';
import { publicRoutes } from '../../broker/routes/public.ts';
import { registeredServiceRoutes } from '../../broker/routes/registered-services.ts';
import type { Route } from '../../broker/routes/route.ts';
import { serviceRoutes } from '../../broker/routes/services.ts';
import { createSchemas } from '../../broker/schemas.ts';
import { createValidate } from '../../broker/validation.ts';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { silentLog } from '../support/silent-log.ts';

// Nothing here is called: the table of routes is made of functions that would need all this when they run.
const unused = undefined as never;
const attestors = createAttestors({ vault: unused, instances: unused, alarms: unused });
const routes: Route[] = [
  ...attestationRoutes({ trustDomain: 'example.org' } as never),
  ...entryRoutes({
    trustDomain: 'example.org',
    vault: unused,
    session: unused,
    registrar: unused,
    appearances: unused,
    log: unused,
  }),
  ...delegationRoutes({ redeeming: unused, gate: unused }),
  ...explanationRoutes({ vault: unused, explanations: unused }),
  ...policyRoutes({ trustDomain: 'example.org' } as never),
  ...auditRoutes({ collection: undefined } as never),
  ...callRoutes({ trustDomain: 'example.org' } as never),
  ...admissionRoutes({ admission: unused, intake: {} as never }),
  ...serviceRoutes({ trustDomain: 'example.org' } as never),
  ...registeredServiceRoutes({ trustDomain: 'example.org' } as never),
  ...publicRoutes({ bundles: unused, health: unused, document: unused }),
];
// biome-ignore lint/suspicious/noExplicitAny: a document is walked as the JSON it is
const document: any = openApiDocument(routes, { ...createSchemas(attestors), ...ADMISSION_SCHEMAS });

/** What Express was given, read back from its own router. */
function served(): string[] {
  const app = createApp({
    routes,
    validate: createValidate(document),
    connections: unused,
    perSource: unused,
    newCorrelationId: unused,
    log: silentLog,
    metrics: createMetrics(),
  });
  // biome-ignore lint/suspicious/noExplicitAny: the router's layers have no published type
  const layers = (app as any).router.stack as any[];
  return layers
    .filter(({ route }) => route !== undefined)
    .flatMap(({ route }) =>
      Object.keys(route.methods)
        .filter((method) => method !== '_all')
        .map((method) => `${method} ${route.path.replaceAll(/:(\w+)/g, '{$1}')}`),
    );
}

describe('the OpenAPI document', () => {
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations as object).map((method) => `${method} ${path}`),
  );

  it('has every route of the router and no other', () => {
    assert.deepEqual(documented.toSorted(), served().toSorted());
    assert.ok(documented.length >= 15);
  });
  it('names each operation once', () => {
    const ids = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations as object).map(({ operationId }) => operationId),
    );
    assert.equal(new Set(ids).size, ids.length);
  });
  it('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    const text = JSON.stringify(document);
    const wanted = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name));
    assert.deepEqual([...wanted].sort(), Object.keys(document.components.schemas).sort());
  });
  it('says of every problem code where it is met', () => {
    const said = Object.values(document.paths)
      .flatMap((operations) => Object.values(operations as object))
      .flatMap(({ responses }) => Object.values(responses as object))
      .flatMap(({ description }) => description.split(', '));
    const anywhere = ['no_route', 'method_not_allowed'];
    assert.deepEqual(
      PROBLEM_CODES.filter((code) => !said.includes(code) && !anywhere.includes(code)),
      [],
    );
  });
  it('is of a version that says what JSON Schema it means', () => assert.equal(document.openapi, '3.1.0'));
  it('has the evidence of every attestor', () => {
    for (const [method, { evidence }] of attestors) {
      assert.deepEqual(document.components.schemas[`Evidence-${method}`], evidence);
    }
  });
});
