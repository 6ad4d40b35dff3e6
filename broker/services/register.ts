import {
  inParallel,
  readDocument,
  removeDocument,
  type VaultCaller,
  writeDocument,
} from '../../lib/adapter/documents.ts';
import { raiseRevision } from '../../lib/adapter/revision.ts';
import { entryRef } from '../../lib/attestation/index.ts';
import { InputError } from '../../lib/errors.ts';
import { type Place, placesBelow } from '../places.ts';
import { Problem } from '../problem.ts';
import type { Registered, RegisteredServices } from './registered.ts';
import { parseRegisteredService, type RegisteredService, servicePath } from './registered-service.ts';
import { MOST_OF_A_TENANT } from './tellable.ts';

/** Writes registered services, always with the caller's own token: Vault's ACL decides, and Vault's audit names the caller. */
export interface ServiceRegister {
  /** Makes it, or puts it in the place of what is there. @throws Problem, VaultError */
  put(caller: VaultCaller, service: RegisteredService): Promise<{ readonly created: boolean }>;
  show(caller: VaultCaller, named: Place): Promise<RegisteredService>;
  remove(caller: VaultCaller, named: Place): Promise<void>;
  /** Those of a tenant and of the tenants below it. */
  list(caller: VaultCaller, tenant: string): Promise<ServiceListing>;
}

export type ServiceListing = {
  readonly services: readonly RegisteredService[];
  readonly unreadable: readonly string[];
};

export type ServiceRegisterDeps = {
  readonly trustDomain: string;
  /** The broker's own, which reads what tenants there are. */
  readonly vault: VaultCaller;
  readonly registered: Pick<RegisteredServices, 'current'>;
  /** Whether a Service of a cluster that is watched has this name. */
  readonly isKubernetesName: (host: string) => boolean;
};

export function createServiceRegister(deps: ServiceRegisterDeps): ServiceRegister {
  const { trustDomain, vault, registered, isKubernetesName } = deps;
  const read = (value: unknown, path: string): RegisteredService | undefined => {
    try {
      const service = parseRegisteredService(value, { trustDomain });
      return servicePath(service) === path ? service : undefined;
    } catch (error) {
      if (error instanceof InputError) return undefined;
      throw error;
    }
  };
  const refuseTaken = async (service: RegisteredService) => {
    if (isKubernetesName(service.host))
      throw new Problem('service_host_taken', { detail: 'a Service of a cluster has this name' });
    const seen = await registered.current().catch((cause: unknown) => {
      throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
    });
    for (const other of seen.all.values()) {
      if (other.host !== service.host || servicePath(other) === servicePath(service)) continue;
      const known = other.tenant === service.tenant || other.tenant.startsWith(`${service.tenant}/`);
      const detail = known ? `it is ${other.tenant}/${other.name}` : 'it is a service of another tenant';
      throw new Problem('service_host_taken', { detail });
    }
    return seen;
  };
  /** Counted by what the broker sees: who may write some names of a tenant may not list them. */
  const refuseMany = ({ all }: Registered, tenant: string) => {
    const own = [...all.values()].filter((service) => service.tenant === tenant).length;
    if (own >= MOST_OF_A_TENANT)
      throw new Problem('service_limit', { detail: `${tenant} has ${own} services` });
  };

  return {
    async put(caller, service) {
      const path = servicePath(service);
      const there = await readDocument(caller, path);
      const seen = await refuseTaken(service);
      if (there === undefined) refuseMany(seen, service.tenant);
      const version = await writeDocument(caller, path, service, there?.version ?? 0);
      await raiseRevision(caller, path);
      try {
        // Again, now that others can see it: of two that claim one host at once, at least one sees the other.
        await refuseTaken(service);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'service_host_taken') throw error;
        if (there === undefined) await removeDocument(caller, path);
        else await writeDocument(caller, path, there.value as object, version);
        await raiseRevision(caller, path);
        throw error;
      }
      return { created: there === undefined };
    },
    async show(caller, named) {
      const path = servicePath(named);
      const document = await readDocument(caller, path);
      if (document === undefined) throw new Problem('service_not_found');
      const service = read(document.value, path);
      if (service === undefined) throw new Problem('service_unreadable');
      return service;
    },
    async remove(caller, named) {
      const path = servicePath(named);
      const there = await readDocument(caller, path);
      await removeDocument(caller, path);
      await raiseRevision(caller, path);
      if (there === undefined) throw new Problem('service_not_found');
    },
    async list(caller, tenant) {
      const unreadable: string[] = [];
      const places = await placesBelow(caller, vault, 'services', tenant);
      const found = await inParallel(places, async (place) => {
        const document = await readDocument(caller, servicePath(place));
        const service = document === undefined ? undefined : read(document.value, servicePath(place));
        if (document !== undefined && service === undefined) unreadable.push(entryRef(place));
        return service;
      });
      return { services: found.filter((service) => service !== undefined), unreadable };
    },
  };
}
