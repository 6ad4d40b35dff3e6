import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { runProcess, startProcess } from '../../harness/processes.ts';

describe('signet demo', function () {
  this.timeout(120_000);

  it('shows everything and ends with its facts as JSON', async () => {
    const { code, stdout, stderr } = await runProcess({ args: ['demo', '--exit'] });
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    const facts = JSON.parse(lines.at(-1) ?? '');
    assert.equal(facts.ok, true);
    assert.deepEqual(facts.spiffe_ids, [
      'spiffe://example.org/ns/shop/sa/orders',
      'spiffe://example.org/ns/shop/sa/web',
    ]);
    assert.equal(new Set(facts.serials).size, 2);
    assert.equal(facts.first_svid_ms.length, 2);
    assert.ok(facts.allowed > 100 && facts.denied === 2 && facts.rotations >= 4, stdout);
    assert.equal(facts.failed_during_rotation, 0);
    assert.equal(facts.theft_alarm, true);
    assert.deepEqual(
      [facts.http2, facts.grpc, facts.websocket, facts.tcp],
      [
        { allowed: 3, denied: 1 },
        { allowed: 1, denied: 1 },
        { allowed: 1, denied: 1 },
        { allowed: 1, denied: 1 },
      ],
    );
    assert.deepEqual(
      [facts.user, facts.dry_run, facts.replay],
      [{ allowed: 1, refused: 3 }, { would_deny: 1 }, { refused: 2 }],
    );
    assert.equal(facts.policy.lost, 0);
    assert.ok(facts.policy.published_ms < 10_000 && facts.policy.would_deny >= 2, stdout);
    assert.equal(facts.spans, 2);
    assert.deepEqual([facts.audit.verified, facts.audit.tamper_found], [true, true]);
    assert.equal(facts.audit.decisions, 10);
    const titles = lines.slice(0, -1).map((line) => /^ok ([^:]+):/.exec(line)?.[1]);
    assert.deepEqual(titles, [
      'CA ready',
      'SVID',
      'SVID',
      'allowed',
      'denied',
      'end user',
      'dry-run',
      'replay',
      'http/2',
      'grpc',
      'websocket',
      'tcp',
      'no certificate',
      'theft alarm',
      'rotation',
      'kill switch',
      'live policy',
      'policy diff',
      'trace',
      'audit',
    ]);
    const told = (title: string) => lines.find((line) => line.startsWith(`ok ${title}: `)) ?? '';
    assert.match(
      told('http/2'),
      /200 for each GET, also by HTTP\/2 at the app; 403 for DELETE, rule orders-never-/,
    );
    assert.match(
      told('grpc'),
      /packed, shipped, delivered, OK; .*PERMISSION_DENIED, no_rule: no policy allows POST /,
    );
    assert.match(told('websocket'), /3 messages each way, closed with 1000; .*403, no policy allows GET /);
    assert.match(told('end user'), /alice.*: 200; .*bob .*: 403; .*: 403; .*: 401 token_invalid$/);
    assert.match(told('replay'), /: 200; the same again: 401 proof_replayed; .*: 401 proof_missing$/);
    assert.match(
      told('live policy'),
      /: 200; .* publishes orders-sixty-six, .*: 403; \d+ other requests meanwhile: 0 failed/,
    );
    assert.match(told('policy diff'), /orders-sixty-six would deny \d+: GET \/orders\/\{id\}$/);
    assert.match(told('trace'), /2 spans of trace [0-9a-f]{32} .*(?=.*Server GET)(?=.*Client GET)/);
    assert.match(told('tcp'), /tea: 7 left, rice: 7 left; .*ECONNRESET$/);
  });

  it('stopped half-way, it leaves nothing running', async () => {
    await using demo = await startProcess({ args: ['demo'] });
    const address = await new Promise<string>((resolve, reject) => {
      const look = setInterval(() => {
        const found = /Vault at (http:\S+)/.exec(demo.stdout())?.[1];
        if (found !== undefined && demo.stdout().includes('ok denied')) {
          clearInterval(look);
          resolve(found);
        }
      }, 50);
      void demo.ended.then(() => reject(new Error(demo.stderr())));
    });
    assert.ok((await fetch(`${address}/v1/sys/health`)).ok);
    demo.send('SIGINT');
    assert.deepEqual(await demo.ended, { code: 130, signal: null });
    await assert.rejects(fetch(`${address}/v1/sys/health`));
  });
});
