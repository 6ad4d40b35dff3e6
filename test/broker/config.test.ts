import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { loadConfig } from '../../broker/config.ts';
import { SETTINGS } from '../../broker/settings.ts';
import { runProcess, startProcess } from '../../harness/processes.ts';
import { ConfigError } from '../../lib/adapter/settings.ts';

const sound = {
  SIGNET_TRUST_DOMAIN: 'example.org',
  VAULT_ADDR: 'https://vault.example.org:8200',
  SIGNET_VAULT_ROLE_ID: 'role',
  SIGNET_VAULT_SECRET_ID_FILE: '/secret',
};
const files: Readonly<Record<string, string>> = {
  '/secret': 'secret-id',
  '/token': 'token',
  '/ca': 'PEM',
  '/empty': ' \n',
};
const read = (path: string) => {
  const text = files[path];
  if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' });
  return text;
};

describe("the broker's configuration", () => {
  it('has a default for all that has one', () => {
    const config = loadConfig(sound, read);
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8555 });
    assert.equal(config.vault.publicAddress, 'https://vault.example.org:8200');
    assert.equal(config.limits.requestMs, 10_000);
    assert.equal(config.vault.caCert, undefined);
  });
  it('reads the forms of an address, a time and names', () => {
    const config = loadConfig(
      {
        ...sound,
        SIGNET_LISTEN: '[::1]:0',
        SIGNET_VAULT_TIMEOUT: '1500ms',
        SIGNET_BROKER_DNS: 'broker.example.org, 10.0.0.1,localhost',
        VAULT_CACERT: '/ca',
        VAULT_NAMESPACE: 'team/a',
      },
      read,
    );
    assert.deepEqual(config.listen, { host: '::1', port: 0 });
    assert.equal(config.vault.timeoutMs, 1_500);
    assert.deepEqual(config.names, { dns: ['broker.example.org', 'localhost'], ips: ['10.0.0.1'] });
    assert.deepEqual([config.vault.caCert, config.vault.namespace], ['PEM', 'team/a']);
  });

  it('reads clusters', () => {
    const { kubernetes } = loadConfig(
      {
        ...sound,
        KUBERNETES_SERVICE_HOST: 'fd00::1',
        KUBERNETES_SERVICE_PORT: '443',
        SIGNET_KUBERNETES:
          'main=in-cluster\n east=kubeconfig:/ca#admin@east west=kubeconfig:/ca old=offline:/ca',
        SIGNET_KUBERNETES_ANNOTATIONS: 'example.org/tier, team',
      },
      read,
    );
    assert.deepEqual(kubernetes, {
      clusters: [
        { name: 'main', kind: 'in-cluster', server: new URL('https://[fd00::1]:443') },
        { name: 'east', kind: 'kubeconfig', file: '/ca', context: 'admin@east' },
        { name: 'west', kind: 'kubeconfig', file: '/ca' },
        { name: 'old', kind: 'offline', file: '/ca' },
      ],
      annotations: ['example.org/tier', 'team'],
      source: 'any',
    });
    assert.deepEqual(loadConfig(sound, read).kubernetes.clusters, []);
  });
  it('refuses to look at where pods of an offline cluster connect from', () => {
    const environment = { ...sound, SIGNET_KUBERNETES: 'old=offline:/ca', SIGNET_KUBERNETES_SOURCE: 'pod' };
    assert.throws(() => loadConfig(environment, read), /SIGNET_KUBERNETES_SOURCE is pod, and of an offline/);
  });

  const cases: [name: string, text: string, says: RegExp][] = [
    ['SIGNET_TRUST_DOMAIN', 'Example.ORG', /not a trust domain/],
    ['VAULT_ADDR', 'vault:8200', /not a URL/],
    ['VAULT_ADDR', 'http://vault.example.org:8200', /plain http to another machine/],
    ['VAULT_ADDR', 'https://user:pass@vault:8200', /more than scheme/],
    ['VAULT_NAMESPACE', 'a b', /not a Vault namespace/],
    ['VAULT_CACERT', '/none', /does not exist/],
    ['SIGNET_VAULT_SECRET_ID_FILE', '/none', /does not exist/],
    ['SIGNET_VAULT_SECRET_ID_FILE', '/empty', /empty file/],
    ['SIGNET_VAULT_ROLE_ID', '', /missing, and so is SIGNET_VAULT_KUBERNETES_TOKEN_FILE/],
    ['SIGNET_VAULT_SECRET_ID_FILE', '', /missing, and so is SIGNET_VAULT_KUBERNETES_TOKEN_FILE/],
    ['SIGNET_LISTEN', 'localhost', /not an address/],
    ['SIGNET_LISTEN', '127.0.0.1:70000', /not an address/],
    ['SIGNET_LISTEN', 'broker.example.org:443', /not an address/],
    ['SIGNET_ADMIN', '0.0.0.0:9090', /not on loopback/],
    ['SIGNET_ADMIN', ':9090', /not on loopback/],
    ['SIGNET_KUBERNETES', 'main', /^SIGNET_KUBERNETES cluster 1: is not name=/],
    ['SIGNET_KUBERNETES', 'Main=in-cluster', /cluster 1: is not name=/],
    ['SIGNET_KUBERNETES', 'a=kubeconfig:/ca ../b=kubeconfig:/ca', /cluster 2: is not name=/],
    ['SIGNET_KUBERNETES', 'main=somewhere', /main: is not in-cluster, kubeconfig:/],
    ['SIGNET_KUBERNETES', 'main=kubeconfig:relative', /main: is not in-cluster, kubeconfig:/],
    ['SIGNET_KUBERNETES', 'main=kubeconfig:/none', /main: names a file that does not exist/],
    ['SIGNET_KUBERNETES', 'main=offline:/empty', /main: names an empty file/],
    ['SIGNET_KUBERNETES', 'main=offline:/ca#context', /main: is not in-cluster/],
    ['SIGNET_KUBERNETES', 'main=in-cluster', /main: is in-cluster, and KUBERNETES_SERVICE_HOST/],
    ['SIGNET_KUBERNETES', 'a=kubeconfig:/ca a=offline:/ca', /a: is named twice/],
    ['SIGNET_KUBERNETES_ANNOTATIONS', 'example.org/tier,*', /not a list of annotations/],
    ['SIGNET_KUBERNETES_SOURCE', 'node', /is not pod or any/],
    ['SIGNET_BROKER_DNS', 'Broker.example.org', /not a list of host names/],
    ['SIGNET_BROKER_DNS', '*.example.org', /not a list of host names/],
    ['SIGNET_LOG_LEVEL', 'loud', /not one of debug/],
    ['SIGNET_RATE_SOURCE', '0', /not a whole number/],
    ['SIGNET_RATE_IDENTITY', '-1', /not a whole number/],
    ['SIGNET_MAX_CONNECTIONS', '1e9', /not a whole number/],
    ['SIGNET_REQUEST_TIMEOUT', '10', /not a time/],
    ['SIGNET_DRAIN_TIMEOUT', '24m', /over ten minutes/],
  ];
  for (const [name, text, says] of cases) {
    it(`refuses ${name} as ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => loadConfig({ ...sound, [name]: text }, read),
        (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.defects.length, 1, error.message);
          assert.match(error.message, new RegExp(`^${name} `));
          assert.match(error.message, says);
          return true;
        },
      );
    });
  }
  describe('that logs in to Vault by Kubernetes auth', () => {
    const { SIGNET_VAULT_ROLE_ID, SIGNET_VAULT_SECRET_ID_FILE, ...bare } = sound;
    const kubernetes = { ...bare, SIGNET_VAULT_KUBERNETES_TOKEN_FILE: '/token' };
    it('needs a token file, and no AppRole', () => {
      assert.deepEqual(loadConfig(kubernetes, read).vault.login, {
        method: 'kubernetes',
        mount: 'signet-kubernetes',
        role: 'broker',
        tokenFile: '/token',
      });
    });
    it("takes another role, and an auth method of the user's own", () => {
      const config = loadConfig(
        {
          ...kubernetes,
          SIGNET_VAULT_KUBERNETES_ROLE: 'broker-2',
          SIGNET_VAULT_KUBERNETES_MOUNT: 'k8s/main',
        },
        read,
      );
      assert.deepEqual(config.vault.login, {
        method: 'kubernetes',
        mount: 'k8s/main',
        role: 'broker-2',
        tokenFile: '/token',
      });
    });
    const refused: [name: string, text: string, says: RegExp][] = [
      ['SIGNET_VAULT_ROLE_ID', SIGNET_VAULT_ROLE_ID, /a second way to log in/],
      ['SIGNET_VAULT_SECRET_ID_FILE', SIGNET_VAULT_SECRET_ID_FILE, /a second way to log in/],
      ['SIGNET_VAULT_KUBERNETES_TOKEN_FILE', '/none', /does not exist/],
      ['SIGNET_VAULT_KUBERNETES_TOKEN_FILE', '/empty', /empty file/],
      ['SIGNET_VAULT_KUBERNETES_ROLE', 'a/b', /not the name of a role/],
      ['SIGNET_VAULT_KUBERNETES_MOUNT', '../approle', /not the path of an auth method/],
      ['SIGNET_VAULT_KUBERNETES_MOUNT', 'kubernetes/', /not the path of an auth method/],
    ];
    for (const [name, text, says] of refused) {
      it(`refuses ${name} as ${JSON.stringify(text)}`, () => {
        assert.throws(
          () => loadConfig({ ...kubernetes, [name]: text }, read),
          (error) => {
            assert.ok(error instanceof ConfigError);
            assert.equal(error.defects.length, 1, error.message);
            assert.match(error.message, new RegExp(`^${name} `));
            assert.match(error.message, says);
            return true;
          },
        );
      });
    }
  });
  it('says all that is wrong at once', () => {
    assert.throws(
      () => loadConfig({ SIGNET_LISTEN: 'x', SIGNET_RATE_SOURCE: 'many' }, read),
      (error) => error instanceof ConfigError && error.defects.length === 6,
    );
  });
});

describe('the broker as a program', () => {
  it('with a wrong environment names every variable, shows no value and ends with 2', async () => {
    const { code, stderr, stdout } = await runProcess({
      args: ['broker'],
      env: { VAULT_ADDR: 'hvs.pasted-by-mistake', SIGNET_LISTEN: 'here', SIGNET_ADMIN: '0.0.0.0:1' },
    });
    assert.equal(code, 2);
    for (const name of [
      'SIGNET_TRUST_DOMAIN',
      'VAULT_ADDR',
      'SIGNET_VAULT_ROLE_ID',
      'SIGNET_VAULT_SECRET_ID_FILE',
      'SIGNET_LISTEN',
      'SIGNET_ADMIN',
    ]) {
      assert.match(stderr, new RegExp(`^signet broker: ${name} `, 'm'));
    }
    assert.doesNotMatch(stderr + stdout, /hvs\.|pasted/);
  });
  it('asked for help names every variable and ends with 0', async () => {
    const { code, stdout } = await runProcess({ args: ['broker', '--help'] });
    assert.equal(code, 0);
    for (const name of Object.keys(SETTINGS)) assert.ok(stdout.includes(name), name);
  });
  it('given a variable that it does not know says so and goes on', async () => {
    const process = await startProcess({
      args: ['broker'],
      env: {
        SIGNET_TRUST_DOMAIN: 'example.org',
        VAULT_ADDR: 'http://127.0.0.1:1',
        SIGNET_VAULT_ROLE_ID: 'r',
        SIGNET_VAULT_SECRET_ID_FILE: '/proc/self/cmdline',
        SIGNET_LISTENS: 'x',
      },
    });
    const line = await process.waitForEvent('unknown_setting');
    assert.equal(line['name'], 'SIGNET_LISTENS');
    await process.waitForEvent('vault_login_failed');
    assert.equal((await process.stop()).code, 0);
  });
  it('given an argument that it does not know ends with 2', async () => {
    assert.equal((await runProcess({ args: ['broker', '--port', '1'] })).code, 2);
  });
});
