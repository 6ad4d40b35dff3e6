import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyBinary } from '../../setup/envoy.mjs';
import type { Program } from '../processes.ts';
import { allowed, SERVER } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

/** Envoy, with as many RBAC policies as Signet has documents. */
export function envoyPeer(): Peer | undefined {
  if (envoyBinary() === undefined) return undefined;
  return { name: 'envoy', settles: false, inbound: (task) => [inbound(task)], outbound };
}

const typed = (type: string) => ({ '@type': `type.googleapis.com/envoy.${type}` });
const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
const HTTP = 'extensions.upstreams.http.v3.HttpProtocolOptions';

function inbound({ name, folder, port, app, protocol, workers, rules }: Task): Program {
  const tls = {
    ...typed('extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
    require_client_certificate: true,
    disable_stateless_session_resumption: true,
    disable_stateful_session_resumption: true,
    common_tls_context: {
      ...certificate(folder, 'server'),
      alpn_protocols: [protocol === 'http1' ? 'http/1.1' : 'h2'],
      validation_context: { trusted_ca: { filename: join(folder, 'root.pem') } },
    },
  };
  const rbac = {
    ...typed('extensions.filters.http.rbac.v3.RBAC'),
    rules: {
      action: 'ALLOW',
      policies: Object.fromEntries(allowed(rules).map((rule) => [rule.name, policy(rule)])),
    },
  };
  const manager = {
    codec_type: protocol === 'http1' ? 'HTTP1' : 'HTTP2',
    normalize_path: true,
    forward_client_cert_details: 'SANITIZE_SET',
    set_current_client_cert_details: { uri: true },
  };
  const http2 = { ...typed(HTTP), explicit_http_config: { http2_protocol_options: {} } };
  return envoy(`${name}-envoy`, folder, port, workers, {
    listener: { transport_socket: { name: 'tls', typed_config: tls } },
    manager,
    filters: [{ name: 'rbac', typed_config: rbac }],
    upstream: app,
    cluster: protocol === 'grpc' ? { typed_extension_protocol_options: { [`envoy.${HTTP}`]: http2 } } : {},
  });
}

/** It checks the server's chain and SPIFFE ID. */
function outbound({ name, folder, port, upstream }: OutboundTask): Program {
  const tls = {
    ...typed('extensions.transport_sockets.tls.v3.UpstreamTlsContext'),
    common_tls_context: {
      ...certificate(folder, 'client'),
      alpn_protocols: ['http/1.1'],
      validation_context: {
        trusted_ca: { filename: join(folder, 'root.pem') },
        match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: SERVER } }],
      },
    },
  };
  return envoy(`${name}-envoy-out`, folder, port, 1, {
    listener: {},
    manager: { codec_type: 'HTTP1' },
    filters: [],
    upstream,
    cluster: { transport_socket: { name: 'tls', typed_config: tls } },
  });
}

type Parts = {
  readonly listener: object;
  readonly manager: object;
  readonly filters: readonly object[];
  readonly upstream: number;
  readonly cluster: object;
};

function envoy(name: string, folder: string, port: number, threads: number, parts: Parts): Program {
  const manager = {
    ...typed('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'http',
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream', timeout: '60s' } }],
        },
      ],
    },
    http_filters: [
      ...parts.filters,
      { name: 'router', typed_config: typed('extensions.filters.http.router.v3.Router') },
    ],
    ...parts.manager,
  };
  const listener = {
    name: 'in',
    address: address(port),
    filter_chains: [{ ...parts.listener, filters: [{ name: 'http', typed_config: manager }] }],
  };
  const cluster = {
    name: 'upstream',
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: 'upstream',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(parts.upstream) } }] }],
    },
    ...parts.cluster,
  };
  const file = join(folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ static_resources: { listeners: [listener], clusters: [cluster] } }));
  const args = ['-c', file, '--concurrency', String(threads), '-l', 'error', '--disable-hot-restart'];
  return { name, command: envoyBinary()!, args, port };
}

function certificate(folder: string, name: string): object {
  return {
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
    tls_certificates: [
      {
        certificate_chain: { filename: join(folder, `${name}.pem`) },
        private_key: { filename: join(folder, `${name}.key`) },
      },
    ],
  };
}

function policy({ caller, methods, pattern }: ReturnType<typeof allowed>[number]): object {
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
