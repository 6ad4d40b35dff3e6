import { once } from 'node:events';
import type { Clock } from '../lib/adapter/clock.ts';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import { createVault } from '../lib/adapter/vault.ts';
import type { Entry } from '../lib/attestation/index.ts';
import { startAdmin } from './admin.ts';
import { createAlarms } from './alarms.ts';
import { createApp } from './app.ts';
import { createAttestation } from './attestation.ts';
import { createAttestors, entryDefects } from './attestors/index.ts';
import { createCollecting } from './audit/index.ts';
import { createBundleSource } from './bundle-source.ts';
import { createCallStore } from './calls/store.ts';
import { keepCertificate, type ServerCredential } from './certificate.ts';
import { createChallengeKeys } from './challenge-keys.ts';
import type { Config } from './config.ts';
import { createConnections } from './connection.ts';
import { createDelegations } from './delegations/index.ts';
import { createExplanations } from './explanations.ts';
import { createHealth } from './health.ts';
import { createInstances } from './instances.ts';
import { createIssuedGrants } from './issued-grants.ts';
import { createGate, createRateLimit } from './limits.ts';
import { openApiDocument } from './openapi.ts';
import { createPublications } from './policies/publications.ts';
import { createSidecars } from './policies/sidecars.ts';
import { createRegistrar } from './registrar.ts';
import { createRegistrations } from './registrations.ts';
import { attestationRoutes } from './routes/attestation.ts';
import { auditRoutes } from './routes/audit.ts';
import { callRoutes } from './routes/calls.ts';
import { delegationRoutes } from './routes/delegations.ts';
import { entryRoutes } from './routes/entries.ts';
import { explanationRoutes } from './routes/explanations.ts';
import { policyRoutes } from './routes/policies.ts';
import { publicRoutes } from './routes/public.ts';
import { serviceRoutes } from './routes/services.ts';
import { createSchemas } from './schemas.ts';
import { createBrokerServer } from './server.ts';
import { createSession } from './session.ts';
import { createValidate } from './validation.ts';

/** What the process gives the broker. */
export type World = {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly newCorrelationId: () => string;
  /** Fires when the process is to end. */
  readonly stopped: AbortSignal;
};

/** Runs until `stopped` fires and what was under way then has ended. All wiring is here. */
export async function runBroker(config: Config, world: World): Promise<void> {
  const { trustDomain, limits } = config;
  const { log, metrics, random, stopped, newCorrelationId } = world;
  const now = () => world.clock.now();
  const monotonic = () => performance.now();

  using vault = createVault({
    address: config.vault.address,
    timeoutMs: config.vault.timeoutMs,
    ...(config.vault.namespace === '' ? {} : { namespace: config.vault.namespace }),
    ...(config.vault.caCert === undefined ? {} : { caCert: config.vault.caCert }),
  });
  const ended = new AbortController();
  await using session = createSession({
    vault,
    login: config.vault.login,
    log,
    random,
    ended: ended.signal,
  });
  const pods = config.kubernetes.clusters.length === 0 ? undefined : await import('./clusters.ts');
  using clusters = await pods?.openClusters(config.kubernetes.clusters);
  for (const { name, kind } of config.kubernetes.clusters)
    log.info('cluster', { name, verified: kind === 'offline' ? 'offline' : 'review' });
  const alarms = createAlarms(log, metrics);
  const instances = createInstances(session);
  const amazon = config.aws.certificates.length === 0 ? undefined : await import('./attestors/aws.ts');
  const attestors = createAttestors({ vault, instances, alarms }, [
    ...(pods !== undefined && clusters !== undefined
      ? [pods.kubernetes({ ...config.kubernetes, clusters, log })]
      : []),
    ...(amazon === undefined ? [] : [amazon.aws({ ...config.aws, instances, alarms })]),
  ]);
  const unfit = (entry: Entry) => entryDefects(attestors, entry);
  const registrations = createRegistrations({
    vault: session,
    trustDomain,
    entryDefects: unfit,
    reloadMs: limits.reloadMs,
    log,
    metrics,
  });
  const registrar = createRegistrar({
    trustDomain,
    survey: () => registrations.survey(),
    entryDefects: unfit,
  });
  const bundles = createBundleSource({
    vault: session,
    trustDomain,
    refreshMs: limits.reloadMs,
    log,
    now,
  });
  const publications = createPublications({
    vault: session,
    registrations,
    reloadMs: limits.reloadMs,
    log,
  });
  const services =
    clusters === undefined
      ? undefined
      : (await import('./services/index.ts')).createServices({
          ...{ clusters: clusters.live, annotations: config.kubernetes.annotations, registrations },
          ...{ clock: world.clock, log, metrics, random },
        });
  const keys = createChallengeKeys(session, log, now);
  const connections = createConnections({ trustDomain, keys });
  const perSource = createRateLimit(limits.ratePerSource, monotonic);
  const perIdentity = createRateLimit(limits.ratePerIdentity, monotonic);
  const issuedGrants = createIssuedGrants(monotonic);
  const explanations = createExplanations();
  const attest = createAttestation({
    ...{ trustDomain, attestors, registrations, bundles, session, perIdentity, issuedGrants, explanations },
    ...{ log, metrics, now },
  });

  await using collecting = await createCollecting({
    ...{ trustDomain, folder: config.auditDir, session, bundles, registrations },
    ...{ clock: world.clock, random, log, metrics },
  });

  let credential: ServerCredential | undefined;
  const health = createHealth({
    ...{ session, registrations, bundles, keys, now },
    hasCertificate: () => credential !== undefined && credential.notAfter > now(),
    draining: () => stopped.aborted,
  });
  using delegations = createDelegations();
  const runs = metrics.counter(
    'signet_broker_run_tokens_total',
    'tokens of runs that were shown, by outcome',
  );
  const countRun = (outcome: string) => runs.add(1, { outcome });
  const publicVault = { address: config.vault.publicAddress, namespace: config.vault.namespace };
  const own = config.injector === null ? undefined : clusters?.live.get(config.injector.cluster);
  const admitting =
    config.injector === null || own === undefined
      ? undefined
      : (await import('./admission/open.ts')).openAdmission({
          ...{
            config: config.injector,
            trustDomain,
            api: own,
            annotations: config.kubernetes.annotations,
            bundles,
            registrations,
          },
          ...{ log, metrics, monotonic, ratePerSource: limits.ratePerSource },
        });
  const routes = [
    ...attestationRoutes({
      ...{ trustDomain, vault: publicVault, attest, gate: createGate(limits.attestations) },
      ...{ issuedGrants, alarms, session, log, now },
    }),
    ...entryRoutes({ trustDomain, vault, registrar }),
    ...delegationRoutes({
      redeeming: () => delegations.open({ vault, session, clock: world.clock, log, count: countRun }),
      gate: createGate(limits.attestations),
    }),
    ...explanationRoutes({ vault, explanations }),
    ...policyRoutes({
      ...{ trustDomain, vault, bundles, publications, registrations, now, stopped },
      sidecars: createSidecars(),
    }),
    ...auditRoutes(collecting.routeDeps),
    ...callRoutes({
      ...{ trustDomain, vault, bundles, registrations, now },
      store: createCallStore(),
      perIdentity: createRateLimit(limits.ratePerIdentity, monotonic),
    }),
    ...serviceRoutes({ trustDomain, bundles, registrations, services, now, stopped }),
    ...(admitting?.routes ?? []),
    ...publicRoutes({ bundles, health, document: () => document }),
  ];
  const document = openApiDocument(routes, { ...createSchemas(attestors), ...admitting?.schemas });
  const app = createApp({
    ...{ routes, connections, perSource, newCorrelationId, log, metrics },
    validate: createValidate(document),
  });
  const server = createBrokerServer(app, { limits, perSource, newCorrelationId });

  await using admin = await startAdmin(config.admin, { health, metrics });
  log.info('listening', { what: 'admin', address: admin.address });

  const failure = new AbortController();
  const stop = AbortSignal.any([stopped, failure.signal]);
  let opened = false;
  /** In the handshake from now on; the first time, the API begins to listen. */
  const show = () => {
    const { current } = bundles;
    if (credential === undefined || current === undefined || stop.aborted) return;
    server.useCredential(credential, current);
    if (opened) return;
    opened = true;
    server.listen(config.listen).then(
      (address) => log.info('listening', { what: 'broker', address }),
      (error: unknown) => failure.abort(error),
    );
  };
  bundles.onChange(show);
  const publish = (fresh: ServerCredential) => {
    credential = fresh;
    show();
  };
  await Promise.all([
    session.run(stop),
    registrations.run(stop),
    publications.run(stop),
    bundles.run(stop),
    keys.run(stop),
    collecting.run(stop),
    services?.run(stop),
    admitting?.run(stop),
    keepCertificate({ vault: session, trustDomain, names: config.names, log, now, random }, publish, stop),
    untilFired(stop).then(async () => {
      log.info('draining');
      await server.drain(limits.drainMs);
      ended.abort();
    }),
  ]);
  failure.signal.throwIfAborted();
  log.info('ended');
}

async function untilFired(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
