import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { InputError } from '../lib/errors.ts';
import { type Layout, parseLayout, readLayoutDocument, type VaultPort } from '../lib/vault-layout/index.ts';

export type LayoutFlags = {
  readonly config?: string;
  readonly trustDomain?: string;
  readonly ttl?: readonly string[];
  readonly tenant?: readonly string[];
  readonly brokerDns?: readonly string[];
  readonly root: boolean;
  readonly publicUrl?: string;
  readonly kubernetesHost?: string;
  readonly kubernetesCa?: string;
  readonly kubernetesMount?: string;
};

/** The flags by which a layout is given: a file, or piece by piece. */
export function withLayoutFlags(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'the layout as JSON (docs/vault.md); without it, the flags below, or what was applied last',
    )
    .option('--trust-domain <name>', 'trust domain, such as example.org')
    .option('--ttl <words...>', 'lifetimes of SVIDs that entries may choose, such as 15m 1h')
    .option(
      '--tenant <name=prefix,...>',
      'a tenant and the ID path prefixes it may register, such as acme/shop=ns/shop/; again for more',
      several,
    )
    .option('--broker-dns <names...>', "DNS names in the broker's certificate")
    .option('--no-root', 'the root CA is kept elsewhere: prints the request that it has to sign')
    .option('--public-url <url>', 'where verifiers reach Vault, to be put into certificates')
    .option(
      '--kubernetes-host <url>',
      'brokers also log in by Kubernetes auth, at signet-kubernetes/: the API server that Vault asks about their tokens',
    )
    .option(
      '--kubernetes-ca <file>',
      "the API server's authorities (PEM); without it, Vault runs in that cluster and asks in its own name",
    )
    .option(
      '--kubernetes-mount <path>',
      'instead: Kubernetes auth that is there already, of which only the role broker is written',
    );
}

function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/**
 * The layout that the flags name; without any, the one that was applied last.
 * @throws InputError
 */
export async function layoutOf(flags: LayoutFlags, vault: VaultPort): Promise<Layout> {
  if (flags.config !== undefined) {
    if (flags.trustDomain !== undefined) throw usage('--config', 'and --trust-domain exclude each other');
    return parseLayout(jsonIn(flags.config));
  }
  if (flags.trustDomain !== undefined) return parseLayout(documentOf(flags));
  const { document } = await readLayoutDocument(vault);
  if (document === undefined)
    throw usage('--config', 'or --trust-domain is needed: no layout was applied to this Vault yet');
  return parseLayout(document);
}

function documentOf(flags: LayoutFlags): object {
  return {
    trust_domain: flags.trustDomain,
    svid_ttls: flags.ttl ?? ['15m', '1h'],
    tenants: (flags.tenant ?? []).map((text) => {
      const [name = '', prefixes = ''] = text.split('=', 2);
      return { name, id_prefixes: prefixes.split(',') };
    }),
    broker: { dns: flags.brokerDns ?? ['localhost'] },
    root: flags.root ? 'vault' : 'external',
    ...(flags.publicUrl === undefined ? {} : { public_url: flags.publicUrl }),
    ...kubernetesOf(flags),
  };
}

function kubernetesOf({ kubernetesHost, kubernetesCa, kubernetesMount }: LayoutFlags): object {
  if (kubernetesHost === undefined && kubernetesMount === undefined) {
    if (kubernetesCa !== undefined) throw usage('--kubernetes-ca', 'goes with --kubernetes-host');
    return {};
  }
  return {
    kubernetes: {
      ...(kubernetesHost === undefined ? {} : { host: kubernetesHost }),
      ...(kubernetesCa === undefined ? {} : { ca_cert: textIn(kubernetesCa, '--kubernetes-ca') }),
      ...(kubernetesMount === undefined ? {} : { mount: kubernetesMount }),
    },
  };
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(textIn(file, '--config'));
  } catch (error) {
    if (error instanceof SyntaxError) throw usage('--config', `${file} is not JSON`);
    throw error;
  }
}

/** @throws InputError naming the flag */
export function textIn(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw usage(flag, `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
}

function usage(pointer: string, message: string): InputError {
  return new InputError('usage', [{ pointer, message }]);
}
