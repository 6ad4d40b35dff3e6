import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { Secret } from '../../secret.ts';
import { type Access, type AccessSource, rereading, unreadable } from './access.ts';

const MAX_BYTES = 1024 * 1024;

/** One context of a kubeconfig: what it holds itself, and the files it names. */
type Context = {
  readonly config: KubeConfig;
  readonly server: URL;
  readonly servername: string | undefined;
  readonly ca: string | undefined;
  readonly token: string | undefined;
  /** A program, or an issuer, gives the credential, which runs out by itself. */
  readonly outside: boolean;
};

/** A kubeconfig with all it names: files, and programs that print a credential (exec). */
export function kubeconfigAccess(cluster: string, file: string, context: string | undefined): AccessSource {
  const contexts = rereading(cluster, () => readContext(cluster, file, context));
  let made: { readonly of: Context; readonly access: Access } | undefined;
  return {
    async current() {
      const present = await contexts.current();
      if (made?.of === present && !present.outside) return made.access;
      const access = await accessOf(cluster, present);
      made = { of: present, access };
      return access;
    },
    forget: contexts.forget,
  };
}

async function readContext(cluster: string, file: string, context: string | undefined) {
  const text = await readFile(file, 'utf8');
  if (text.length > MAX_BYTES) throw unreadable(cluster, `the kubeconfig is over ${MAX_BYTES} characters`);
  const config = new KubeConfig();
  config.loadFromString(text);
  config.makePathsAbsolute(dirname(file));
  if (context !== undefined) config.setCurrentContext(context);
  const [place, user] = [config.getCurrentCluster(), config.getCurrentUser()];
  if (place === null || user === null)
    throw unreadable(cluster, 'the kubeconfig has no such context, or one without cluster or user');
  const server = serverOf(cluster, place);
  const named = tokenFileOf(text, user.name);
  const tokenFile = named === undefined ? undefined : resolve(dirname(file), named);
  const [ca, token] = await Promise.all([
    place.caFile ? readFile(place.caFile, 'utf8') : fromBase64(place.caData),
    tokenFile === undefined ? user.token : readFile(tokenFile, 'utf8'),
  ]);
  const files = [file, place.caFile, user.certFile, user.keyFile, tokenFile].filter((name) => !!name);
  const value: Context = {
    ...{ config, server, ca, token: token?.trim(), servername: place.tlsServerName },
    outside: Boolean(user.exec) || Boolean(user.authProvider),
  };
  return { value, files: files as string[] };
}

/** What would let a stranger answer for the API server, or carry the credential past us, is refused and not ignored. */
function serverOf(cluster: string, { server, skipTLSVerify, proxyUrl }: Cluster): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol !== 'https:') throw unreadable(cluster, 'the kubeconfig names a server without https');
  if (skipTLSVerify) throw unreadable(cluster, 'the kubeconfig says insecure-skip-tls-verify');
  if (proxyUrl) throw unreadable(cluster, 'the kubeconfig names a proxy-url, which is not supported');
  return url;
}

/** `tokenFile` of a user: the client package does not know it, and would go without a credential. */
function tokenFileOf(text: string, user: User['name']): string | undefined {
  const { users } = (load(text) ?? {}) as { users?: unknown };
  if (!Array.isArray(users)) return undefined;
  const found = users.find((each) => each?.name === user)?.user?.tokenFile;
  return typeof found === 'string' && found !== '' ? found : undefined;
}

async function accessOf(
  cluster: string,
  { config, server, servername, ca, token }: Context,
): Promise<Access> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
  } catch (error) {
    throw unreadable(cluster, error);
  }
  const [, given] = /^Bearer (.+)$/s.exec(String(bearerOf(options) ?? '')) ?? [];
  const bearer = token || given?.trim();
  const [cert, key] = [textOf(options.cert), textOf(options.key)];
  return {
    server,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
    },
    ...(bearer ? { token: new Secret(bearer) } : {}),
  };
}

function bearerOf({ headers }: RequestOptions): unknown {
  return (headers as Readonly<Record<string, unknown>> | undefined)?.['Authorization'];
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined;
}

function fromBase64(data: string | undefined): string | undefined {
  return data ? Buffer.from(data, 'base64').toString('utf8') : undefined;
}
