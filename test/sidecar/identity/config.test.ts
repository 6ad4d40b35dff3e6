import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { ConfigError, unknownSettings } from '../../../lib/adapter/settings.ts';
import { type Config, loadConfig } from '../../../sidecar/config/index.ts';
import { LIMITS, rangeOf } from '../../../sidecar/config/limits.ts';
import { SETTINGS, settingsHelp } from '../../../sidecar/config/settings.ts';
import { parseAttest } from '../../../sidecar/config/values.ts';
import { createCa } from '../../support/ca.ts';

const agent = {
  SIGNET_TRUST_DOMAIN: 'example.org',
  SIGNET_BROKER_URL: 'https://broker:8555',
  SIGNET_BROKER_CA: 'ca.pem',
  SIGNET_ATTEST: 'ssh-host:/etc/ssh/ssh_host_ed25519_key',
  SIGNET_MODE: 'agent',
};
const service = {
  ...agent,
  SIGNET_MODE: 'service',
  SIGNET_INBOUND: '0.0.0.0:8443->127.0.0.1:8080',
  SIGNET_POLICY_FILE: '/etc/signet/policy.json',
};
const caller = {
  ...agent,
  SIGNET_MODE: '',
  SIGNET_OUTBOUND: '127.0.0.1:15001',
  SIGNET_UPSTREAMS: 'orders=10.0.0.1:8443#spiffe://example.org/ns/shop/sa/orders',
};

describe("the sidecar's configuration", () => {
  let files: Record<string, string>;
  before(async () => {
    const { pem, privateKeyPem } = await createCa();
    files = {
      'ca.pem': pem,
      'key.pem': pem + privateKeyPem,
      'empty.pem': '',
      'bad.pem': pem.replace('M', 'N'),
    };
  });
  const load = (environment: Record<string, string>): Config =>
    loadConfig(environment, (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
      return text;
    });
  const defects = (environment: Record<string, string>): readonly string[] => {
    try {
      load(environment);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.defects;
    }
    return [];
  };

  it('parses into types', () => {
    const config = load({
      ...service,
      SIGNET_OUTBOUND: '[::1]:15001',
      SIGNET_UPSTREAMS:
        'orders=10.0.0.1:8443,orders.internal:8443#spiffe://example.org/ns/shop/sa/orders\n stock.shop=[fd00::1]:8443#spiffe://example.org/a,spiffe://other.org/b',
      VAULT_ADDR: 'http://127.0.0.1:8200',
      VAULT_NAMESPACE: 'team',
    });
    assert.deepEqual(config.inbound, {
      http: { listen: { host: '0.0.0.0', port: 8443 }, app: { host: '127.0.0.1', port: 8080 } },
      tcp: [],
      anonymous: null,
    });
    assert.equal(config.policyFile, '/etc/signet/policy.json');
    assert.equal(load({ ...service, SIGNET_POLICY_FILE: '' }).policyFile, null);
    assert.deepEqual(config.outbound?.listen, { host: '::1', port: 15_001 });
    assert.deepEqual(
      config.outbound?.upstreams.map(({ name, addresses, ids }) => [name, addresses, ids.map(String)]),
      [
        [
          'orders',
          [
            { host: '10.0.0.1', port: 8443 },
            { host: 'orders.internal', port: 8443 },
          ],
          ['spiffe://example.org/ns/shop/sa/orders'],
        ],
        ['stock.shop', [{ host: 'fd00::1', port: 8443 }], ['spiffe://example.org/a', 'spiffe://other.org/b']],
      ],
    );
    for (const [text, place, ek] of [
      ['tpm:/dev/tpmrm0', { device: '/dev/tpmrm0' }, 'rsa'],
      ['tpm:unix:/run/tpm,ecc', { socket: '/run/tpm' }, 'ecc'],
      ['tpm:tcp:127.0.0.1:2321,rsa', { host: '127.0.0.1', port: 2321 }, 'rsa'],
    ] as const)
      assert.deepEqual(parseAttest(text), { method: 'tpm', place, ek });
    const aws = { method: 'aws', keyFile: '/host_key' };
    assert.deepEqual(parseAttest('aws:/host_key'), aws);
    const elsewhere = new URL('http://[fd00:ec2::254]');
    assert.deepEqual(parseAttest(`aws:/host_key@${elsewhere.origin}`), { ...aws, service: elsewhere });
    assert.deepEqual(config.attest, { method: 'ssh-host', keyFile: '/etc/ssh/ssh_host_ed25519_key' });
    assert.equal(config.vault.address?.origin, 'http://127.0.0.1:8200');
    assert.equal(config.vault.namespace, 'team');
    assert.equal(config.broker.ca.trim(), files['ca.pem']!.trim());
  });

  it('knows where telemetry goes and how much of it, or of none', () => {
    const of = (more: Record<string, string>) => {
      const { telemetry } = load({ ...agent, ...more });
      return telemetry && [telemetry.otlp?.url.href, telemetry.otlp?.ca?.trim(), telemetry.share];
    };
    assert.equal(of({}), null);
    assert.deepEqual(of({ SIGNET_TRACING: '0.25' }), [undefined, undefined, 0.25]);
    assert.deepEqual(of({ SIGNET_OTLP: 'http://127.0.0.1:4318' }), [
      'http://127.0.0.1:4318/',
      undefined,
      0.01,
    ]);
    assert.deepEqual(
      of({ SIGNET_OTLP: 'https://otel:4318/in', SIGNET_OTLP_CA: 'ca.pem', SIGNET_TRACING: '1' }),
      [...['https://otel:4318/in', files['ca.pem']!.trim(), 1]],
    );
    const wrong = [
      ...[
        'http://otel:4318',
        'otel:4318',
        'https://user:word@otel',
        'https://otel/?a',
        'ftp://otel',
        'https://otel#a',
      ],
    ];
    for (const text of wrong)
      assert.match(defects({ ...agent, SIGNET_OTLP: text }).join(), /^SIGNET_OTLP (?!.*otel:)/);
    for (const text of ['2', '-1', '1.5', 'all', '1e-3', '0x1', '.'])
      assert.match(defects({ ...agent, SIGNET_TRACING: text }).join(), /^SIGNET_TRACING is not a share/);
  });

  it('gives an upstream its local port', () => {
    const { outbound } = load({
      ...caller,
      SIGNET_UPSTREAMS: 'orders@127.0.0.1:15010=10.0.0.1:8443#spiffe://example.org/a b=b:1#spiffe://a/b',
    });
    assert.deepEqual(
      outbound?.upstreams.map(({ listen }) => listen),
      [{ host: '127.0.0.1', port: 15_010 }, undefined],
    );
  });

  it('takes raw forwards beside the one for HTTP, and raw upstreams', () => {
    const { inbound, outbound } = load({
      ...service,
      SIGNET_INBOUND: ':8443 -> 127.0.0.1:8080\n tcp:[::]:8444->127.0.0.1:5432 tcp::8445->[::1]:6379',
      SIGNET_OUTBOUND: '127.0.0.1:15001',
      SIGNET_UPSTREAMS: 'db@tcp:127.0.0.1:15432=10.0.0.1:8444#spiffe://example.org/db',
    });
    assert.equal(inbound?.http?.listen.port, 8443);
    assert.deepEqual(
      inbound?.tcp.map(({ listen, app }) => [listen.port, app]),
      [
        [8444, { host: '127.0.0.1', port: 5432 }],
        [8445, { host: '::1', port: 6379 }],
      ],
    );
    assert.deepEqual(
      outbound?.upstreams.map(({ protocol, listen }) => [protocol, listen?.port]),
      [['tcp', 15_432]],
    );
    assert.equal(load({ ...service, SIGNET_INBOUND: 'tcp::8444->127.0.0.1:5432' }).inbound?.http, null);
  });

  for (const [wrong, text] of [
    [
      'has two forwards for mTLS; all others have to be tcp:, tls: or http:',
      ':1->127.0.0.1:1 :2->127.0.0.1:2',
    ],
    [
      'has two forwards for clients without an SVID (tls: or http:)',
      ':1->127.0.0.1:1 tls::2->127.0.0.1:1 http:127.0.0.1:3->127.0.0.1:1',
    ],
    [
      'has two forwards for clients without an SVID (tls: or http:)',
      'tls::1->127.0.0.1:1 tls::2->127.0.0.1:1',
    ],
    ['has an http: listener that is not on loopback', 'http::8081->127.0.0.1:8080'],
    ['has an http: listener that is not on loopback', 'http:0.0.0.0:8081->127.0.0.1:8080'],
    ['has an http: listener that is not on loopback', 'http:[::]:8081->127.0.0.1:8080'],
    ['has an http: listener that is not on loopback', 'http:127.0.0.1.evil.org:8081->127.0.0.1:8080'],
    ['names an app that is not on loopback', 'tls::8443->10.0.0.1:8080'],
    ['is not listener->app, such as 0.0.0.0:8443->127.0.0.1:8080', 'http://127.0.0.1:8081->127.0.0.1:8080'],
    ['is not listener->app, such as 0.0.0.0:8443->127.0.0.1:8080', 'tls:tcp::8443->127.0.0.1:8080'],
    ['is not listener->app, such as 0.0.0.0:8443->127.0.0.1:8080', 'TLS::8443->127.0.0.1:8080'],
    ['gives two forwards one port', ':1->127.0.0.1:1 tls::1->127.0.0.1:2'],
    ['gives two forwards one port', ':1->127.0.0.1:1 tcp::1->127.0.0.1:2'],
    ['says both tcp and h2c of one forward', 'tcp::1->h2c://127.0.0.1:2'],
    ['names an app that is not on loopback', 'tcp::1->10.0.0.1:5432'],
  ] as const)
    it(`refuses an inbound setting that ${wrong}`, () => {
      assert.deepEqual(defects({ ...service, SIGNET_INBOUND: text }), [`SIGNET_INBOUND ${wrong}`]);
    });

  for (const [text, protocol, listen, app] of [
    ['tls:0.0.0.0:8444->127.0.0.1:8080', 'tls', '0.0.0.0:8444', { host: '127.0.0.1', port: 8080 }],
    ['tls:[::]:8444 -> h2c://127.0.0.1:8080', 'tls', ':::8444', { host: '127.0.0.1', port: 8080, h2c: true }],
    ['http:127.0.0.1:8081->localhost:8080', 'http', '127.0.0.1:8081', { host: 'localhost', port: 8080 }],
    ['http:[::1]:8081->[::1]:8080', 'http', '::1:8081', { host: '::1', port: 8080 }],
  ] as const)
    it(`takes a forward for clients without an SVID, alone or beside others: ${text}`, () => {
      const beside = load({
        ...service,
        SIGNET_INBOUND: `:8443->127.0.0.1:8080\n${text} tcp::1->127.0.0.1:5432`,
      });
      const { anonymous, http } = beside.inbound!;
      assert.deepEqual(
        [anonymous?.protocol, `${anonymous?.listen.host}:${anonymous?.listen.port}`, anonymous?.app],
        [protocol, listen, app],
      );
      assert.equal(http?.listen.port, 8443);
      assert.equal(beside.inbound?.tcp.length, 1);
      const alone = load({ ...service, SIGNET_INBOUND: text }).inbound!;
      assert.deepEqual([alone.http, alone.tcp, alone.anonymous], [null, [], anonymous]);
    });

  it('takes limits by name, each for the sides that it bounds', () => {
    const text =
      ' body=10m connections=10000\n connections-per-peer=0 pool-connections=5 pool-waiting=0 head-time=500ms head=64k idle-time=0 whole-time=2h\tstall-time=0s fields=256 ';
    const head = { headBytes: 65_536, fields: 256, targetBytes: 8_192 };
    const both = { connections: 10_000, headMs: 500, idleMs: 0, wholeMs: 7_200_000, stallMs: 0, head };
    assert.deepEqual(load({ ...service, SIGNET_LIMITS: text }).limits, {
      inbound: { ...both, bodyBytes: 10_485_760, connectionsPerPeer: 0 },
      outbound: { ...both, poolConnections: 5, poolWaiting: 0 },
    });
    assert.deepEqual(load(service).limits, { inbound: {}, outbound: {} });
    assert.deepEqual(load({ ...service, SIGNET_LIMITS: 'connect-time=1s' }).limits, {
      inbound: { connectMs: 1_000 },
      outbound: { connectMs: 1_000 },
    });
  });

  const names = [...LIMITS.keys()].join(', ');
  const [noSize, noTime] = [
    'is not a size such as 512, 64k, 10m or 1g',
    'is not a time such as 500ms, 10s, 5m or 1h',
  ];
  for (const [text, ...wrong] of [
    ['body', 'limit 1: is not name=value, such as body=10m'],
    ['body=', 'limit 1: is not name=value, such as body=10m'],
    ['=10m', 'limit 1: is not name=value, such as body=10m'],
    ['body=1=2', 'limit 1: is not name=value, such as body=10m'],
    ['body = 10m', ...[1, 2, 3].map((n) => `limit ${n}: is not name=value, such as body=10m`)],
    ['head=2k bodies=1', `limit 2: its name is none of ${names}`],
    ['Body=1', `limit 1: its name is none of ${names}`],
    [
      '__proto__=1 toString=1',
      `limit 1: its name is none of ${names}`,
      `limit 2: its name is none of ${names}`,
    ],
    ['body=1k body=1k', 'body: is given twice'],
    ['body=x body=1k', `body: ${noSize}`, 'body: is given twice'],
    ['body=1.5m', `body: ${noSize}`],
    ['body=-1', `body: ${noSize}`],
    ['body=1K', `body: ${noSize}`],
    ['body=1kb', `body: ${noSize}`],
    ['body=5s', `body: ${noSize}`],
    ['body=1e3', `body: ${noSize}`],
    ['body=0x10', `body: ${noSize}`],
    ['body=9999999999999999', `body: ${noSize}`],
    ['body=1025g', 'body: is out of range (0, 1 to 1024g)'],
    ['body=999999999999999g', 'body: is out of range (0, 1 to 1024g)'],
    ['head=1023', 'head: is out of range (1k to 64k)'],
    ['head=65537', 'head: is out of range (1k to 64k)'],
    ['head=0', 'head: is out of range (1k to 64k)'],
    ['fields=257', 'fields: is out of range (1 to 256)'],
    ['fields=1k', 'fields: is not a number such as 1000'],
    ['connections=1000001', 'connections: is out of range (0, 1 to 1000000)'],
    ['head-time=10', `head-time: ${noTime}`],
    ['head-time=10d', `head-time: ${noTime}`],
    ['head-time=10 s', `head-time: ${noTime}`, 'limit 2: is not name=value, such as body=10m'],
    ['head-time=99ms', 'head-time: is out of range (100ms to 168h)'],
    ['head-time=0', `head-time: ${noTime}`],
    ['head-time=0s', 'head-time: is out of range (100ms to 168h)'],
    ['idle-time=169h', 'idle-time: is out of range (0, 100ms to 168h)'],
    ['constructor=1', `limit 1: its name is none of ${names}`],
    ['body=1constructor', `body: ${noSize}`],
    [
      'body=x head-time=1 fields=0 what=1',
      `body: ${noSize}`,
      `head-time: ${noTime}`,
      'fields: is out of range (1 to 256)',
      `limit 4: its name is none of ${names}`,
    ],
  ] as const)
    it(`refuses limits, saying all that is wrong: ${text}`, () => {
      assert.deepEqual(
        defects({ ...service, SIGNET_LIMITS: text }),
        wrong.map((defect) => `SIGNET_LIMITS ${defect}`),
      );
    });

  it('takes every limit at both ends of its range', () => {
    for (const [name, limit] of LIMITS) {
      const [, least, most] = /(\w+) to (\w+)$/.exec(rangeOf(limit))!;
      for (const value of [least, most, ...(limit.zero ? ['0'] : [])])
        assert.doesNotThrow(
          () => load({ ...service, SIGNET_LIMITS: `${name}=${value}` }),
          `${name}=${value}`,
        );
    }
  });

  it('fills in what is not set, and takes an empty variable for one', () => {
    const config = load({ ...caller, VAULT_ADDR: '', SIGNET_AUDIT: '  ' });
    const { mode, audit, admin, logLevel, vault, inbound, workers } = config;
    assert.deepEqual(
      { mode, audit, admin, logLevel, vault, inbound, workers },
      {
        mode: 'service',
        audit: {
          ...{ file: null, stdout: true, broker: false, bufferBytes: 8 * 1024 * 1024, whenFull: null },
          rotation: { bytes: null, ageMs: null, keep: null },
        },
        admin: { host: '127.0.0.1', port: 0 },
        logLevel: 'info',
        vault: { address: null, namespace: null, ca: null },
        inbound: null,
        workers: 1,
      },
    );
  });

  it('proves requests by the connection unless it is told otherwise', () => {
    assert.deepEqual(load(service).fingerprint, { sends: 'channel', requires: 'channel', ttlSeconds: 10 });
    const told = {
      SIGNET_FINGERPRINT: 'signed',
      SIGNET_FINGERPRINT_REQUIRED: 'off',
      SIGNET_FINGERPRINT_TTL: '60s',
    };
    assert.deepEqual(load({ ...service, ...told }).fingerprint, {
      ...{ sends: 'signed', requires: 'off' },
      ttlSeconds: 60,
    });
  });

  for (const [name, value, defect] of [
    ['SIGNET_CALLS', 'on', 'is not one of off, broker'],
    ['SIGNET_FINGERPRINT', 'on', 'is not one of channel, signed, off'],
    ['SIGNET_FINGERPRINT_REQUIRED', 'Signed', 'is not one of channel, signed, off'],
    ...['0s', '61s', '10', '1m', '1.5s', '-1s', '100s'].map(
      (text) => ['SIGNET_FINGERPRINT_TTL', text, 'is not a time from 1s to 60s, such as 10s'] as const,
    ),
  ] as const)
    it(`refuses ${name}=${value}`, () => {
      assert.deepEqual(defects({ ...service, [name]: value }), [`${name} ${defect}`]);
    });

  it('shares all that several workers listen on, and nothing else', () => {
    const several = {
      ...service,
      ...caller,
      SIGNET_INBOUND: ':8443->127.0.0.1:8080 tcp::8444->127.0.0.1:5432',
      SIGNET_UPSTREAMS: 'a@127.0.0.1:15010=b:1#spiffe://a/b b=c:1#spiffe://a/c',
      SIGNET_TRANSPARENT: '127.0.0.1:15006',
    };
    const listening = ({ inbound, outbound }: Config) => [
      inbound?.http?.listen,
      inbound?.tcp[0]?.listen,
      outbound?.listen,
      outbound?.upstreams[0]?.listen,
      outbound?.transparent,
    ];
    const [one, two] = [load(several), load({ ...several, SIGNET_WORKERS: '2' })];
    assert.equal(two.workers, 2);
    assert.deepEqual(
      listening(two),
      listening(one).map((listen) => ({ ...listen, shared: true })),
    );
    assert.deepEqual(two.inbound?.http?.app, one.inbound?.http?.app);
    assert.deepEqual(two.outbound?.upstreams[1], one.outbound?.upstreams[1]);
    assert.equal(load({ ...agent, SIGNET_WORKERS: '1' }).workers, 1);
  });

  it('tells everything that is wrong at once', () => {
    assert.deepEqual(defects({ SIGNET_LOG_LEVEL: 'loud', SIGNET_ADMIN: '0.0.0.0:9000' }), [
      'SIGNET_TRUST_DOMAIN is missing',
      'SIGNET_BROKER_URL is missing',
      'SIGNET_BROKER_CA is missing',
      'SIGNET_ATTEST is missing',
      'SIGNET_MODE is service, and neither SIGNET_INBOUND nor SIGNET_OUTBOUND is set',
      'SIGNET_ADMIN is not on loopback',
      'SIGNET_LOG_LEVEL is not one of debug, info, warn, error, alarm',
    ]);
  });

  const bad: readonly [Record<string, string>, string][] = [
    [
      { ...agent, SIGNET_TRUST_DOMAIN: 'Example.org' },
      'SIGNET_TRUST_DOMAIN is not a trust domain (up to 255 of a-z 0-9 . _ -)',
    ],
    [{ ...agent, SIGNET_BROKER_URL: 'http://127.0.0.1:8555' }, 'SIGNET_BROKER_URL is not https'],
    [
      { ...agent, SIGNET_BROKER_URL: 'https://a:b@broker' },
      'SIGNET_BROKER_URL holds a user name or password',
    ],
    [
      { ...agent, SIGNET_BROKER_URL: 'https://broker/v1' },
      'SIGNET_BROKER_URL has more than scheme, host and port',
    ],
    [
      { ...agent, SIGNET_BROKER_URL: 'broker:8555' },
      'SIGNET_BROKER_URL is not an address such as https://host:port',
    ],
    [{ ...agent, SIGNET_BROKER_CA: 'none.pem' }, 'SIGNET_BROKER_CA names a file that does not exist'],
    [{ ...agent, SIGNET_BROKER_CA: 'key.pem' }, 'SIGNET_BROKER_CA names a file that holds a private key'],
    [{ ...agent, SIGNET_BROKER_CA: 'empty.pem' }, 'SIGNET_BROKER_CA names a file without a certificate'],
    [{ ...agent, SIGNET_BROKER_CA: 'bad.pem' }, 'SIGNET_BROKER_CA names a file with a damaged certificate'],
    ...['password:x', 'join:', 'kubernetes:', 'kubernetes'].map(
      (attest): [Record<string, string>, string] => [
        { ...agent, SIGNET_ATTEST: attest },
        'SIGNET_ATTEST is not ssh-host:/path, kubernetes:/path[@cluster], x509:/key,/chain, tpm:/dev/tpmrm0, aws:/path, join:/path or join:-',
      ],
    ),
    ...['tpm:dev', 'tpm:unix:run', 'tpm:tcp:10.0.0.1:2321', 'tpm:tcp:127.0.0.1', 'tpm:,ecc'].map(
      (attest): [Record<string, string>, string] => [
        { ...agent, SIGNET_ATTEST: attest },
        'SIGNET_ATTEST is not tpm:/dev/tpmrm0, tpm:unix:/path or tpm:tcp:127.0.0.1:port, each with ,ecc or not',
      ],
    ),
    ...['aws:/key@https://127.0.0.1', 'aws:/key@http://a/b', 'aws:/key@http://u@a'].map(
      (attest): [Record<string, string>, string] => [
        { ...agent, SIGNET_ATTEST: attest },
        'SIGNET_ATTEST names a metadata service that is not http://host:port',
      ],
    ),
    ...['x509:/device.key', 'x509:/device.key,', 'x509:,/device.pem'].map(
      (attest): [Record<string, string>, string] => [
        { ...agent, SIGNET_ATTEST: attest },
        'SIGNET_ATTEST is not x509:/path/to/key.pem,/path/to/chain.pem',
      ],
    ),
    ...['eyJhbGciOiJSUzI1NiJ9.e30.x', 'kubernetes:eyJhbGciOiJSUzI1NiJ9.e30.x'].map(
      (attest): [Record<string, string>, string] => [
        { ...agent, SIGNET_ATTEST: attest },
        'SIGNET_ATTEST holds a token: give the path of the file that it is in',
      ],
    ),
    [{ ...agent, SIGNET_MODE: 'edge' }, 'SIGNET_MODE is not one of service, agent'],
    [
      { ...service, SIGNET_MODE: 'agent' },
      'SIGNET_MODE is agent, and SIGNET_INBOUND or SIGNET_OUTBOUND is set',
    ],
    [
      { ...caller, SIGNET_USERS: '/etc/signet/users.json' },
      'SIGNET_INBOUND is missing (SIGNET_USERS is set)',
    ],
    [
      { ...service, SIGNET_INBOUND: '8443' },
      'SIGNET_INBOUND is not listener->app, such as 0.0.0.0:8443->127.0.0.1:8080',
    ],
    [
      { ...service, SIGNET_INBOUND: ':8443->127.0.0.1:0' },
      'SIGNET_INBOUND is not listener->app, such as 0.0.0.0:8443->127.0.0.1:8080',
    ],
    [
      { ...service, SIGNET_INBOUND: ':8443->10.0.0.1:80' },
      'SIGNET_INBOUND names an app that is not on loopback',
    ],
    [
      { ...service, SIGNET_INBOUND: ':8443->127.0.0.1.evil.org:80' },
      'SIGNET_INBOUND names an app that is not on loopback',
    ],
    [{ ...caller, SIGNET_OUTBOUND: '0.0.0.0:15001' }, 'SIGNET_OUTBOUND is not on loopback'],
    [{ ...caller, SIGNET_OUTBOUND: ':15001' }, 'SIGNET_OUTBOUND is not on loopback'],
    [
      { ...caller, SIGNET_OUTBOUND: '127.0.0.1:70000' },
      'SIGNET_OUTBOUND is not an address such as 127.0.0.1:15001',
    ],
    [{ ...caller, SIGNET_UPSTREAMS: '' }, 'SIGNET_UPSTREAMS is missing (SIGNET_OUTBOUND is set)'],
    [
      { ...agent, SIGNET_UPSTREAMS: caller.SIGNET_UPSTREAMS },
      'SIGNET_OUTBOUND is missing (SIGNET_UPSTREAMS is set)',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'orders=10.0.0.1:8443' },
      'SIGNET_UPSTREAMS upstream 1: is not name=address#spiffe-id',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'Orders=1.2.3.4:1#spiffe://a/b' },
      'SIGNET_UPSTREAMS upstream 1: its name is not a lower-case host name',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'a=1.2.3:1#spiffe://a/b' },
      'SIGNET_UPSTREAMS upstream 1: an address is not host:port',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'a=b:1#spiffe://a/b b=b:1#http://a' },
      'SIGNET_UPSTREAMS upstream 2: a SPIFFE ID is not one',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'a=b:1#spiffe://a/b a=c:1#spiffe://a/b' },
      'SIGNET_UPSTREAMS names an upstream twice',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'a@10.0.0.1:15010=b:1#spiffe://a/b' },
      'SIGNET_UPSTREAMS upstream 1: its local port is not on loopback',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'a@15010=b:1#spiffe://a/b' },
      'SIGNET_UPSTREAMS upstream 1: its local port is not an address such as 127.0.0.1:15001',
    ],
    [
      { ...caller, SIGNET_UPSTREAMS: 'a@[::1]:15010=b:1#spiffe://a/b b@[::1]:15010=c:1#spiffe://a/c' },
      'SIGNET_UPSTREAMS gives two upstreams one local port',
    ],
    [{ ...caller, SIGNET_TRANSPARENT: '0.0.0.0:15006' }, 'SIGNET_TRANSPARENT is not on loopback'],
    [
      { ...agent, SIGNET_TRANSPARENT: '127.0.0.1:15006' },
      'SIGNET_OUTBOUND is missing (SIGNET_TRANSPARENT is set)',
    ],
    [{ ...agent, SIGNET_ADMIN: 'unix:run/admin' }, 'SIGNET_ADMIN is not unix: and an absolute path'],
    [
      { ...agent, SIGNET_ADMIN: `unix:/${'x'.repeat(103)}` },
      'SIGNET_ADMIN is a socket path of over 103 bytes',
    ],
    ...['0', '65', '2.5', '-1', '1e1', 'two', ' ２'].map((text): [Record<string, string>, string] => [
      { ...service, SIGNET_WORKERS: text },
      'SIGNET_WORKERS is not a number from 1 to 64',
    ]),
    [{ ...agent, SIGNET_WORKERS: '2' }, 'SIGNET_WORKERS is more than one, and SIGNET_MODE is agent'],
    [
      { ...service, SIGNET_WORKERS: '2', SIGNET_ATTEST: 'join:/run/code' },
      'SIGNET_WORKERS is more than one, and a join code is good for one process alone',
    ],
    ...[
      { ...service, SIGNET_INBOUND: ':0->127.0.0.1:8080' },
      { ...service, SIGNET_INBOUND: ':8443->127.0.0.1:8080 tcp::0->127.0.0.1:5432' },
      { ...caller, SIGNET_OUTBOUND: '127.0.0.1:0' },
      { ...caller, SIGNET_UPSTREAMS: 'a@127.0.0.1:0=b:1#spiffe://a/b' },
      { ...caller, SIGNET_TRANSPARENT: '127.0.0.1:0' },
    ].map((environment, i): [Record<string, string>, string] => [
      { ...environment, SIGNET_WORKERS: '2' },
      `SIGNET_${['INBOUND', 'INBOUND', 'OUTBOUND', 'UPSTREAMS', 'TRANSPARENT'][i]} asks for port 0, and each of several workers would get another`,
    ]),
    [{ ...agent, VAULT_ADDR: 'http://vault:8200' }, 'VAULT_ADDR is not https, and not on this machine'],
    [{ ...agent, VAULT_CACERT: 'none.pem' }, 'VAULT_CACERT names a file that does not exist'],
  ];
  for (const [environment, message] of bad) {
    it(`refuses: ${message}`, () => assert.deepEqual(defects(environment), [message]));
  }

  it('never quotes a value', () => {
    const secret = 'hvs.CAESIJ-secret';
    const code = 'sj1.eyJlIjoiYSJ9.hvs.CAESIJ-secret';
    for (const name of Object.keys(SETTINGS)) {
      for (const value of [
        secret,
        code,
        `join:${code}`,
        `x=${secret}#${secret}`,
        `${secret}=1`,
        `body=${secret} head=1`,
        `https://${secret}@x`,
      ]) {
        const told = defects({ ...agent, [name]: value }).join('\n');
        assert.doesNotMatch(told, /CAESIJ|eyJl/, `${name}=${value}`);
      }
    }
    assert.deepEqual(defects({ ...agent, SIGNET_ATTEST: `join:${code}` }), [
      'SIGNET_ATTEST holds a join code: put the code into a file, or give it on standard input',
    ]);
  });

  it('notices mistyped names, and passes over those that Kubernetes makes', () => {
    const names = [
      'SIGNET_UPSTREAM',
      'SIGNET_AUDIT',
      'SIGNET_BROKER_SERVICE_HOST',
      'SIGNET_BROKER_PORT_8555_TCP',
      'PATH',
    ];
    assert.deepEqual(unknownSettings(SETTINGS, Object.fromEntries(names.map((name) => [name, 'x']))), [
      'SIGNET_UPSTREAM',
    ]);
  });

  it('shows every variable in its help', () => {
    for (const name of Object.keys(SETTINGS)) assert.match(settingsHelp(), new RegExp(`^ {2}${name} `, 'm'));
  });
});
