import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readAuditKeys } from '../../cli/audit-keys-file.ts';
import { type AuditSigner, type Chain, createChain, type VerifyOptions } from '../../lib/audit/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import { checkFiles } from '../lib/audit/files.ts';
import { type Reply, type Shown, spendGrant, svidKey, type TestSvid } from '../support/attest-client.ts';
import { createCa } from '../support/ca.ts';
import { joinEntry, openSite, type Site, type TestBroker, until, writeDenylist } from './site.ts';

const LOG = 'AAAAAAAAAAAAAAAAAAAAAA';
const other = (letter: string) => LOG.replaceAll('A', letter);

describe('collecting audits', () => {
  let site: Site;
  let broker: TestBroker;
  let folder: string;
  let orders: TestSvid;
  let stock: TestSvid;
  let options: VerifyOptions;
  before(async () => {
    site = await openSite();
    folder = join(site.dir, 'audits');
    broker = await site.startBroker({ SIGNET_AUDIT_DIR: folder });
    for (const name of ['orders', 'stock', 'gone'])
      await broker.call('POST', '/v1/entries', joinEntry(name), site.registrar.shop);
    [orders, stock] = [await identity('orders'), await identity('stock')];
    const keys = (await broker.call('GET', '/v1/audit/keys')).body;
    const { bundle, countersigners } = readAuditKeys(JSON.stringify(keys));
    options = { bundle, countersigners };
  });
  after(() => site?.[Symbol.asyncDispose]());

  const identity = async (name: string): Promise<TestSvid> => {
    const path = `/v1/entries/acme.shop/${name}/join-code`;
    const { code } = (await broker.call('POST', path, {}, site.registrar.shop)).body;
    using client = await broker.connect();
    const key = svidKey();
    const reply = await client.attest('join', () => ({ code }));
    return await spendGrant(site.vault.request, reply.body, key);
  };
  const signerOf = ({ cert, privateKey }: TestSvid): AuditSigner => ({
    chainDer: pemToDer(cert),
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  });
  const send = async (
    shown: Shown | undefined,
    lines: readonly string[],
    log = LOG,
    to: TestBroker = broker,
  ): Promise<Reply> => {
    using client = await to.connect(shown === undefined ? {} : { shown });
    const bare = lines.map((line) => line.replace(/\n$/, ''));
    return await client.send('POST', '/v1/audit', { log, lines: bare });
  };
  /** The first records of a log, with a signed one at their end. */
  const begin = (log: string, by: TestSvid, chain: Chain = createChain(), records = 4): string[] => {
    const now = new Date();
    return [
      chain.append({ type: 'start', log }, now).line,
      ...Array.from(
        { length: records },
        (_, i) => chain.append({ type: 'decision', path: `/${i}` }, now).line,
      ),
      chain.checkpoint(signerOf(by), now).line,
    ];
  };
  const fileOf = (log: string, name = 'orders') => join(folder, `ns+shop+sa+${name}`, `${log}.jsonl`);
  const codeOf = ({ status, body }: Reply) => `${status} ${body.code}`;

  it('keeps what a workload sends, on the disk before it says so, and tells how far it is', async () => {
    const lines = begin(LOG, orders);
    const none = await send(orders, []);
    assert.deepEqual([none.status, none.body.next], [200, 0]);
    const some = await send(orders, lines.slice(0, 3));
    assert.deepEqual([some.status, some.body.next], [200, 3]);
    assert.equal(await readFile(fileOf(LOG), 'utf8'), lines.slice(0, 3).join(''));
    const all = await send(orders, lines.slice(3));
    assert.deepEqual([all.body.next, (await send(orders, [])).body.hash], [6, all.body.hash]);
    assert.equal(await readFile(fileOf(LOG), 'utf8'), lines.join(''));
  });

  it('has Vault countersign it, beside the log: it then verifies as no later writer can make it', async () => {
    const lines = begin(other('B'), orders);
    await send(orders, lines, other('B'));
    const beside = `${fileOf(other('B'))}.countersigned`;
    await until(async () => (await readFile(beside, 'utf8').catch(() => '')) !== '');
    const files = { 'log.jsonl': lines.join(''), 'log.jsonl.countersigned': await readFile(beside, 'utf8') };
    const report = checkFiles(files, options);
    assert.deepEqual([report.findings, report.countersigned?.seq, report.countersigned?.count], [[], 5, 1]);
    assert.equal((await send(orders, [], other('B'))).body.countersigned.seq, 5);

    // whoever holds the key of the SVID later can sign another past, but not have it countersigned
    const forged = begin(other('B'), orders, createChain(), 4);
    const found = (log: string) => checkFiles({ ...files, 'log.jsonl': log }, options).findings;
    assert.deepEqual(
      found(forged.join('')).map(({ kind, seq, line }) => [kind, line, seq]),
      [['bad_countersignature', 6, null]],
    );
    assert.deepEqual(
      found(lines.slice(0, 4).join('')).map(({ kind }) => kind),
      ['unsigned', 'cut_off'],
    );
    const altered = files['log.jsonl.countersigned'].replace(/"seq":5/, '"seq":4');
    assert.deepEqual(
      checkFiles({ ...files, 'log.jsonl.countersigned': altered }, options).findings.map(({ kind }) => kind),
      ['bad_countersignature'],
    );
  });

  describe('refuses, and writes nothing of', () => {
    const log = other('C');
    let chain: Chain;
    let next: (n?: number) => string[];
    before(async () => {
      chain = createChain();
      await send(orders, begin(log, orders, chain), log);
      next = (n = 2) => {
        const copy = createChain(chain.state);
        return Array.from(
          { length: n },
          (_, i) => copy.append({ type: 'decision', path: `/n${i}` }, new Date()).line,
        );
      };
    });
    const cases: [what: string, lines: () => string[]][] = [
      ['records that are here already', () => begin(log, orders)],
      ['a record left out', () => next().slice(1)],
      ['an edited record', () => next().with(0, next()[0]!.replace('/n0', '/n9'))],
      ['a line that is no record', () => [...next(), '{}\n']],
      ['an empty line', () => ['\n']],
      ['two lines in one', () => [next().join('')]],
      [
        'records of another log',
        () => [createChain(chain.state).append({ type: 'start', log: LOG }, new Date()).line],
      ],
      [
        'a checkpoint of another workload',
        () => [createChain(chain.state).checkpoint(signerOf(stock), new Date()).line],
      ],
      [
        'a checkpoint whose signature is of another line',
        () => {
          const signed = createChain(chain.state).checkpoint(signerOf(orders), new Date()).line;
          return [
            signed.replace(
              /"seq":\d+,"time":"(.{20}).../,
              (_, time) => `"seq":${chain.state.seq},"time":"${time}999`,
            ),
          ];
        },
      ],
      [
        'a gap that is admitted for other records',
        () => {
          const ahead = createChain({ ...chain.state, seq: chain.state.seq + 5 });
          const range = { from: chain.state.seq + 1, to: chain.state.seq + 4 };
          return [ahead.note('dropped', { log, sink: 'broker', ...range }, new Date()).line];
        },
      ],
    ];
    for (const [what, lines] of cases) {
      it(what, async () => {
        const before = await readFile(fileOf(log), 'utf8');
        const refused = await send(orders, lines(), log);
        assert.equal(codeOf(refused), '409 audit_not_next');
        assert.match(refused.body.detail, /^(line|record) \d+/);
        assert.equal(await readFile(fileOf(log), 'utf8'), before);
      });
    }

    it('anything without an SVID, with one of another authority, or with one that is denied', async () => {
      assert.equal(codeOf(await send(undefined, next(), log)), '401 svid_needed');
      const stranger = await (await createCa('example.org')).leaf('spiffe://example.org/ns/shop/sa/orders');
      const shown = {
        cert: stranger.pem,
        key: stranger.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
      assert.equal(codeOf(await send(shown, next(), log)), '401 svid_needed');
      const gone = await identity('gone');
      await writeDenylist(site, { ids: [], serials: [gone.serial] });
      await until(async () => codeOf(await send(gone, [], log)) === '403 identity_denied');
    });

    it('a body of over a MiB, and a name that could lead a path astray', async () => {
      const long = 'x'.repeat(60_000);
      assert.equal(
        codeOf(
          await send(
            orders,
            Array.from({ length: 20 }, () => long),
            log,
          ),
        ),
        '413 too_large',
      );
      for (const name of ['../../../etc/passwd', 'a/b', '', `${log}A`, '.'.repeat(22)])
        assert.equal(codeOf(await send(orders, [], name)), '400 malformed');
    });

    it('a large body of a stranger, before it is read', async () => {
      const lines = Array.from({ length: 10 }, () => 'x'.repeat(60_000));
      assert.equal(codeOf(await send(undefined, lines, log)), '401 svid_needed');
    });
  });

  it('takes a batch larger than other bodies may be, and a gap that is admitted', async () => {
    const chain = createChain();
    const lines = begin(other('D'), orders, chain, 3_000);
    assert.equal((await send(orders, lines.slice(0, 1_500), other('D'))).status, 200);
    assert.equal((await send(orders, lines.slice(1_500), other('D'))).body.next, 3_002);
    const ahead = createChain({ ...chain.state, seq: chain.state.seq + 5 });
    const range = { from: chain.state.seq, to: chain.state.seq + 4 };
    const note = ahead.note('dropped', { log: other('D'), sink: 'broker', ...range }, new Date()).line;
    assert.equal((await send(orders, [note], other('D'))).body.next, 3_008);
  });

  it('keeps logs of the same name apart by who sends them', async () => {
    const log = other('E');
    const [mine, theirs] = [begin(log, orders), begin(log, stock)];
    await Promise.all([send(orders, mine, log), send(stock, theirs, log)]);
    assert.equal(await readFile(fileOf(log), 'utf8'), mine.join(''));
    assert.equal(await readFile(fileOf(log, 'stock'), 'utf8'), theirs.join(''));
    assert.deepEqual((await readdir(folder)).sort(), ['ns+shop+sa+orders', 'ns+shop+sa+stock']);
  });

  it('goes on after it was killed in the middle of a line, which had not been acknowledged', async () => {
    const log = other('F');
    const chain = createChain();
    const lines = begin(log, orders, chain);
    await send(orders, lines, log);
    await appendFile(fileOf(log), lines[2]!.slice(0, 40));
    const second = await site.startBroker({ SIGNET_AUDIT_DIR: folder });
    assert.equal((await send(orders, [], log, second)).body.next, lines.length);
    const more = chain.append({ type: 'decision', path: '/more' }, new Date()).line;
    assert.equal((await send(orders, [more], log, second)).status, 200);
    assert.equal(await readFile(fileOf(log), 'utf8'), lines.join('') + more);
    await second.stop();
  });

  it('acknowledges while Vault is sealed, and has it countersigned when it is not', async () => {
    const log = other('K');
    await send(orders, [], log);
    await site.vault.seal();
    assert.equal((await send(orders, begin(log, orders), log)).status, 200);
    const beside = `${fileOf(log)}.countersigned`;
    assert.equal(await readFile(beside, 'utf8').catch(() => ''), '');
    await site.vault.unseal();
    await until(async () => (await readFile(beside, 'utf8').catch(() => '')) !== '');
  }).timeout(60_000);

  it('acknowledges while Vault will not sign, and has it countersigned when Vault is back', async () => {
    const log = other('G');
    const transit = (value: boolean) =>
      site.vault.request('POST', 'sys/policies/acl/signet-broker', { policy: value ? allowed : denied });
    const allowed = (await site.vault.request('GET', 'sys/policies/acl/signet-broker')).body.data.policy;
    const denied = allowed.replace(
      /path "signet-transit\/sign\/audit" \{[^}]*\}/,
      'path "signet-transit/sign/audit" {\n  capabilities = ["deny"]\n}',
    );
    assert.notEqual(allowed, denied);
    await transit(false);
    const chain = createChain();
    assert.equal((await send(orders, begin(log, orders, chain), log)).status, 200);
    await broker.waitForEvent('countersigning_failed');
    const beside = `${fileOf(log)}.countersigned`;
    assert.equal(await readFile(beside, 'utf8').catch(() => ''), '');
    await transit(true);
    await until(async () => (await readFile(beside, 'utf8').catch(() => '')) !== '');
  });

  it('takes none where no folder is set, and says so when the folder cannot be written', async () => {
    const without = await site.startBroker();
    assert.equal(codeOf(await send(orders, [], LOG, without)), '404 audit_not_collected');
    await without.stop();
    const log = other('H');
    await mkdir(fileOf(log), { recursive: true });
    assert.equal(codeOf(await send(orders, begin(log, orders), log)), '503 audit_unwritable');
    await writeFile(fileOf(other('I')), 'not a log\n');
    assert.equal(codeOf(await send(orders, begin(other('I'), orders), other('I'))), '503 audit_unwritable');
    assert.equal(codeOf(await send(orders, ['{}'], other('J'))), '409 audit_not_next');
    assert.ok((await broker.metric('signet_broker_audit_refused_total')) >= 1);
  });
});
