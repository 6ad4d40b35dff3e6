import assert from 'node:assert/strict';
import { HEAD_LIMITS, readTarget, Target } from '../../sidecar/http1/index.ts';
import { answering, OK, world } from '../sidecar/inbound/world.ts';
import { until } from '../sidecar/sockets.ts';
import { published } from './published.ts';

type UrlCase = { readonly input: string; readonly pathname?: string; readonly search?: string };

const FILE = 'wpt/urltestdata.json';
const cases = (published(FILE) as (UrlCase | string)[] | null)?.filter((each) => typeof each !== 'string');
/** A WHATWG URL of the target, as the most widespread reader of paths has it. */
const urlOf = (target: string) => new URL(`http://orders${target}`);

/** Every request target that the data gives rise to: paths as they were written, as they were parsed, and whole inputs behind a slash. */
function targets(each: UrlCase): string[] {
  const written = /^[a-z]+:\/\/[^/?#\\]*([/?#\\].*)$/is.exec(each.input)?.[1];
  const parsed = each.pathname === undefined ? undefined : `${each.pathname}${each.search ?? ''}`;
  const found = [each.input, written, parsed, `/${each.input}`].filter((text) => text !== undefined);
  // the bytes on the wire are those of UTF-8
  return found.map((text) => Buffer.from(text.toWellFormed()).toString('latin1'));
}

describe("url: web-platform-tests' data", function () {
  before(function () {
    if (cases !== undefined) return;
    console.log(`${FILE} (web-platform-tests, url/resources) is not beside the checkout: left out`);
    this.skip();
  });
  this.timeout(60_000);

  const all = [...new Set((cases ?? []).flatMap(targets))].filter((t) => t.length < HEAD_LIMITS.targetBytes);
  const accepted = all.flatMap((sent) => {
    const bytes = Buffer.from(sent, 'latin1');
    const target = new Target();
    if (readTarget(bytes, 0, bytes.length, target) !== 0) return [];
    const forwarded = target.rewritten?.toString('latin1') ?? sent;
    return [{ sent, path: target.path, forwarded }];
  });

  it('some of it is accepted, and more is refused', () => {
    assert.ok(accepted.length > 100, `${accepted.length} of ${all.length}`);
    assert.ok(accepted.length < all.length, `${accepted.length} of ${all.length}`);
  });

  for (const { sent, path, forwarded } of accepted)
    it(`${JSON.stringify(sent)} → ${path}`, () => {
      const query = sent.includes('?') ? sent.slice(sent.indexOf('?')) : '';
      assert.equal(forwarded, path + query, 'what is judged is what goes on');
      const [before, after] = [urlOf(sent), urlOf(forwarded)];
      // a parser that removes dot segments, turns slashes or decodes finds nothing to do
      assert.equal(after.pathname, path);
      assert.equal(decodeURIComponent(before.pathname), decodeURIComponent(path));
      assert.equal(after.search, before.search);
      assert.equal(after.host, 'orders');
      const segments = decodeURIComponent(path).split('/').slice(1);
      for (const [i, segment] of segments.entries())
        assert.ok(!['.', '..'].includes(segment) && (segment !== '' || i === segments.length - 1), segment);
    });

  it('through the real proxy: the path in the audit is the path that the app saw', async () => {
    await using w = await world({ answer: answering() });
    using client = await w.dial();
    const sendable = accepted.filter(({ sent }) => !/[\s]/.test(sent));
    for (const [i, { sent, forwarded, path }] of sendable.entries()) {
      const past = w.app.received.length;
      client.send(`GET ${sent} HTTP/1.1\r\nHost: orders\r\n\r\n`);
      await until(() => client.received.length >= OK.length * (i + 1));
      assert.ok(w.app.received.slice(past).startsWith(`GET ${forwarded} HTTP/1.1\r\n`), forwarded);
      assert.equal((w.audit.events.at(-1) as { path?: string }).path, path);
    }
  });
});
