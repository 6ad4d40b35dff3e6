import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { which } from '../../setup/commands.mjs';
import type { Program } from '../processes.ts';
import { HOST } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

const ALPN = { http1: 'http/1.1', http2: 'h2', grpc: 'h2' } as const;

export function haproxyBinary(): string | undefined {
  return which('haproxy', ['/usr/sbin']);
}

/** haproxy as mTLS reverse proxy: it checks that the client's certificate chains to the authority, and nothing else. */
export function haproxyPeer(): Peer | undefined {
  if (haproxyBinary() === undefined) return undefined;
  return { name: 'haproxy', settles: false, inbound: (task) => [inbound(task)], outbound };
}

function inbound({ name, folder, port, app, protocol, workers }: Task): Program {
  const bind = `127.0.0.1:${port} backlog 1024 ssl crt ${folder}/named.both.pem ca-file ${folder}/root.pem verify required ssl-min-ver TLSv1.3 no-tls-tickets alpn ${ALPN[protocol]}`;
  const server = `127.0.0.1:${app} pool-max-conn 256${protocol === 'grpc' ? ' proto h2' : ''}`;
  return haproxy(`${name}-haproxy`, folder, port, workers, bind, server, [
    '  http-request set-header X-Signet-Caller %[ssl_c_s_dn]',
  ]);
}

/** It checks the server's chain and host name. */
function outbound({ name, folder, port, upstream }: OutboundTask): Program {
  const server = `127.0.0.1:${upstream} pool-max-conn 256 ssl crt ${folder}/client.both.pem ca-file ${folder}/root.pem verify required verifyhost ${HOST} sni str(${HOST}) ssl-min-ver TLSv1.3 alpn http/1.1`;
  return haproxy(`${name}-haproxy-out`, folder, port, 1, `127.0.0.1:${port} backlog 1024`, server, []);
}

function haproxy(
  name: string,
  folder: string,
  port: number,
  threads: number,
  bind: string,
  server: string,
  rules: readonly string[],
): Program {
  const file = join(folder, `${name}.cfg`);
  writeFileSync(
    file,
    `global
  nbthread ${threads}
  maxconn 2000
  tune.ssl.cachesize 0
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  http-reuse always
frontend in
  bind ${bind}
${[...rules, '  default_backend app'].join('\n')}
backend app
  server app ${server}
`,
  );
  return { name, command: haproxyBinary()!, args: ['-db', '-f', file], port };
}
