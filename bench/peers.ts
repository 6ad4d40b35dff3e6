import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { which } from '../setup/commands.mjs';
import { envoyBinary } from '../setup/envoy.mjs';
import type { Program } from './processes.ts';
import { allowed } from './world.ts';

const BODY = JSON.stringify({ id: 7, name: 'x'.repeat(140) });

/** One worker, no disk: what nginx needs to say the least. */
function nginx(name: string, folder: string, port: number, http: string): Program {
  const scratch = join(folder, name);
  mkdirSync(scratch, { recursive: true });
  const file = join(folder, `${name}.conf`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${scratch}/${kind};`,
  );
  writeFileSync(
    file,
    `master_process off; daemon off; pid ${scratch}/pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; server_tokens off; keepalive_requests 100000000; keepalive_timeout 600s; ${temporary.join(' ')}
${http}
}
`,
  );
  const command = which('nginx', ['/usr/sbin']);
  if (command === undefined) throw new Error('nginx is not installed');
  return { name, command, args: ['-c', file, '-e', 'stderr'], port };
}

/** The app behind every proxy: a fixed small body. */
export function backend(folder: string, port: number): Program {
  return nginx(
    'backend',
    folder,
    port,
    ` server { listen 127.0.0.1:${port} backlog=1024; default_type application/json; location / { return 200 '${BODY}'; } }`,
  );
}

/** nginx as mTLS reverse proxy: it checks that the client's certificate chains to the authority, and nothing else. */
export function nginxPeer(folder: string, port: number, app: number): Program {
  return nginx(
    'nginx',
    folder,
    port,
    ` upstream app { server 127.0.0.1:${app}; keepalive 128; keepalive_requests 100000000; }
 server { listen 127.0.0.1:${port} ssl backlog=1024; ssl_certificate ${folder}/server.pem; ssl_certificate_key ${folder}/server.key;
  ssl_client_certificate ${folder}/root.pem; ssl_verify_client on; ssl_verify_depth 3; ssl_protocols TLSv1.3; ssl_session_tickets off;
  location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
   proxy_set_header X-Signet-Caller $ssl_client_s_dn; } }`,
  );
}

/** Envoy with as many RBAC policies as Signet has documents. Undefined where there is no Envoy. */
export function envoyPeer(folder: string, port: number, app: number): Program | undefined {
  const command = envoyBinary();
  if (command === undefined) return undefined;
  const file = join(folder, 'envoy.json');
  writeFileSync(file, JSON.stringify(envoyConfig(folder, port, app)));
  return {
    name: 'envoy',
    command,
    args: ['-c', file, '--concurrency', '1', '-l', 'error', '--disable-hot-restart'],
    port,
  };
}

const typed = (type: string) => ({ '@type': `type.googleapis.com/${type}` });
const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });

function envoyConfig(folder: string, port: number, app: number): object {
  const tls = {
    ...typed('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
    require_client_certificate: true,
    disable_stateless_session_resumption: true,
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_3' },
      tls_certificates: [
        {
          certificate_chain: { filename: join(folder, 'server.pem') },
          private_key: { filename: join(folder, 'server.key') },
        },
      ],
      validation_context: { trusted_ca: { filename: join(folder, 'root.pem') } },
    },
  };
  const manager = {
    ...typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'in',
    codec_type: 'HTTP1',
    normalize_path: true,
    forward_client_cert_details: 'SANITIZE_SET',
    set_current_client_cert_details: { uri: true },
    route_config: {
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
      ],
    },
    http_filters: [
      {
        name: 'rbac',
        typed_config: {
          ...typed('envoy.extensions.filters.http.rbac.v3.RBAC'),
          rules: {
            action: 'ALLOW',
            policies: Object.fromEntries(allowed().map((rule) => [rule.name, rbac(rule)])),
          },
        },
      },
      { name: 'router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router') },
    ],
  };
  return {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(port),
          filter_chains: [
            {
              transport_socket: { name: 'tls', typed_config: tls },
              filters: [{ name: 'hcm', typed_config: manager }],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'app',
          type: 'STATIC',
          connect_timeout: '5s',
          load_assignment: {
            cluster_name: 'app',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(app) } }] }],
          },
        },
      ],
    },
  };
}

function rbac({ caller, methods, pattern }: ReturnType<typeof allowed>[number]): object {
  const method = methods.map((exact) => ({ header: { name: ':method', string_match: { exact } } }));
  return {
    permissions: [
      {
        and_rules: {
          rules: [
            { or_rules: { rules: method } },
            { url_path: { path: { safe_regex: { regex: pattern } } } },
          ],
        },
      },
    ],
    principals: [{ authenticated: { principal_name: { exact: caller } } }],
  };
}
