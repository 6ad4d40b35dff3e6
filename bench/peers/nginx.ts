import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { which } from '../../setup/commands.mjs';
import type { Program } from '../processes.ts';
import { HOST } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

const BODY = JSON.stringify({ id: 7, name: 'x'.repeat(140) });
/** Bodies pass through as they come: none is gathered first, none is put on disk. */
const STREAM = 'client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0;';

export function nginxBinary(): string | undefined {
  return which('nginx', ['/usr/sbin']);
}

/** nginx as mTLS reverse proxy: it checks that the client's certificate chains to the authority, and nothing else. */
export function nginxPeer(): Peer | undefined {
  if (nginxBinary() === undefined) return undefined;
  return { name: 'nginx', settles: false, inbound: (task) => [inbound(task)], outbound };
}

/** The app behind every proxy where bodies are small: a fixed one. */
export function smallApp(folder: string, port: number): Program {
  return nginx({ name: 'app', folder, port }, 1, [
    `server { listen 127.0.0.1:${port} backlog=1024; default_type application/json; location / { return 200 '${BODY}'; } }`,
  ]);
}

function inbound({ name, folder, port, app, protocol, workers }: Task): Program {
  const listen = `127.0.0.1:${port} ssl${protocol === 'http1' ? '' : ' http2'}${workers > 1 ? ' reuseport' : ''} backlog=1024`;
  const pass =
    protocol === 'grpc'
      ? 'grpc_pass grpc://app; grpc_set_header X-Signet-Caller $ssl_client_s_dn;'
      : `proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
   proxy_set_header X-Signet-Caller $ssl_client_s_dn; ${STREAM}`;
  return nginx({ name: `${name}-nginx`, folder, port }, workers, [
    upstream('app', app),
    `server { listen ${listen}; ssl_certificate ${folder}/named.pem; ssl_certificate_key ${folder}/named.key;
  ssl_client_certificate ${folder}/root.pem; ssl_verify_client on; ssl_verify_depth 3; ssl_protocols TLSv1.3; ssl_session_tickets off;
  location / { ${pass} } }`,
  ]);
}

/** It checks the server's chain and host name. */
function outbound({ name, folder, port, upstream: server }: OutboundTask): Program {
  return nginx({ name: `${name}-nginx-out`, folder, port }, 1, [
    upstream('server', server),
    `server { listen 127.0.0.1:${port} backlog=1024;
  location / { proxy_pass https://server; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; ${STREAM}
   proxy_ssl_certificate ${folder}/client.pem; proxy_ssl_certificate_key ${folder}/client.key; proxy_ssl_protocols TLSv1.3;
   proxy_ssl_trusted_certificate ${folder}/root.pem; proxy_ssl_verify on; proxy_ssl_verify_depth 3; proxy_ssl_name ${HOST}; } }`,
  ]);
}

function upstream(name: string, port: number): string {
  return `upstream ${name} { server 127.0.0.1:${port}; keepalive 128; keepalive_requests 100000000; }`;
}

/** One process that does it all, or a master with its workers. */
function nginx(
  { name, folder, port }: Pick<Task, 'name' | 'folder' | 'port'>,
  workers: 1 | 2,
  http: readonly string[],
): Program {
  const scratch = join(folder, name);
  mkdirSync(scratch, { recursive: true });
  const file = join(folder, `${name}.conf`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${scratch}/${kind};`,
  );
  // workers that are started as root would become someone who may not read the folder
  const processes = workers === 1 ? 'master_process off;' : `worker_processes ${workers};${asOurselves()}`;
  writeFileSync(
    file,
    `${processes} daemon off; pid ${scratch}/pid; error_log stderr crit; worker_rlimit_nofile 4096;
events { worker_connections 4096; }
http { access_log off; server_tokens off; keepalive_requests 100000000; keepalive_timeout 600s; ${temporary.join(' ')}
${http.join('\n')}
}
`,
  );
  const command = nginxBinary();
  if (command === undefined) throw new Error('nginx is not installed: it is the app behind every proxy');
  const args = ['-c', file, '-e', 'stderr'];
  return { name, command, args, port, children: workers === 1 ? 0 : workers };
}

function asOurselves(): string {
  return process.getuid?.() === 0 ? ' user root;' : '';
}
