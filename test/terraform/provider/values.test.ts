import assert from 'node:assert/strict';
import { drivers, openProbe, type ProbeWorkspace } from './workspace.ts';

const EVERYTHING = `resource "probe_thing" "a" {
  name   = "a"
  ratio  = 0.1
  list   = ["x", null]
  set    = ["b", "a"]
  map    = { tiny = 0.000000000000000000000000001, third = 1 / 3, huge = 123456789012345678901234567890 }
  object = { a = null, b = [true, null] }
  any    = { a = [1, "x", null, [true]], b = { c = 1.5 } }
  one    = { label = "l" }
  many   = [{ label = "m" }, { label = "n", hint = "h" }]
  some   = [{ label = "p" }, { label = "q", hint = "h" }]
  named  = { x = { label = "y" } }
  port {
    number = 1
    from { network = "n" }
    from {}
  }
  port { number = 2 }
  limits { most = 5 }
}
`;

for (const driver of drivers())
  describe(`values of a resource, with ${driver.name}`, function () {
    this.timeout(180_000);
    let w: ProbeWorkspace;
    before(async function () {
      if (driver.program === undefined) return this.skip();
      w = await openProbe(driver);
    });
    after(() => w?.[Symbol.asyncDispose]());

    it('of every type are planned, made and kept, to the last digit, and the second plan is empty', async () => {
      await w.write(EVERYTHING);
      await w.apply();
      assert.ok(await w.isDone());
      const { timeouts: _timeouts, map, ...state } = await w.state('probe_thing.a');
      assert.deepEqual(state, {
        name: 'a',
        id: 'id-a',
        revision: 1,
        note: null,
        size: 1,
        ratio: 0.1,
        on: true,
        list: ['x', null],
        set: ['a', 'b'],
        object: { a: null, b: [true, null] },
        any: {
          type: state.any.type,
          value: { a: [1, 'x', null, [true]], b: { c: 1.5 } },
        },
        one: { label: 'l', hint: null, mark: 'mark of l' },
        many: [
          { label: 'm', hint: null, mark: 'mark of m' },
          { label: 'n', hint: 'h', mark: 'mark of n' },
        ],
        some: state.some,
        named: { x: { label: 'y', hint: null, mark: 'mark of y' } },
        password: null,
        token: null,
        token_version: null,
        behaviour: null,
        old: null,
        port: [
          { number: 1, open: false, from: [{ network: 'n' }, { network: null }] },
          { number: 2, open: false, from: [] },
        ],
        limits: { most: 5, seen: 7 },
      });
      assert.deepEqual(state.some.map(({ mark }: { mark: string }) => mark).sort(), [
        'mark of p',
        'mark of q',
      ]);
      assert.deepEqual(Object.keys(map), ['huge', 'third', 'tiny']);
      assert.match(await w.stateText(), /123456789012345678901234567890\b/);
      assert.match(await w.stateText(), /0\.3{100}/);
    });

    it('that are not touched by an update stay: what is computed anew is unknown, the rest is as it was', async () => {
      await w.write(EVERYTHING.replace('label = "m"', 'label = "m", hint = "new"').replace('"p"', '"other"'));
      await w.ok('plan', '-input=false', '-out=planned');
      const { resource_changes } = JSON.parse((await w.ok('show', '-json', 'planned')).out);
      const { actions, after, after_unknown: unknown } = resource_changes[0].change;
      assert.deepEqual(actions, ['update']);
      assert.equal(unknown.revision, true);
      assert.equal(unknown.id ?? false, false);
      assert.deepEqual(after.many[0], { label: 'm', hint: 'new', mark: 'mark of m' });
      const kept = after.some.filter(({ mark }: { mark?: string }) => mark !== undefined);
      assert.deepEqual(kept, [{ label: 'q', hint: 'h', mark: 'mark of q' }]);
      await w.ok('apply', '-input=false', '-no-color', 'planned');
      assert.ok(await w.isDone());
      assert.equal((await w.state('probe_thing.a')).revision, 2);
    });

    it('that need another resource say so, each by its path, also within a block', async () => {
      for (const [from, to, path] of [
        ['name   = "a"', 'name = "b"', ['name']],
        ['most = 5', 'most = 6', ['limits', 'most']],
      ] as const) {
        await w.write(EVERYTHING.replace(from, to));
        await w.ok('plan', '-input=false', '-out=planned');
        const { resource_changes } = JSON.parse((await w.ok('show', '-json', 'planned')).out);
        const { actions, replace_paths } = resource_changes[0].change;
        assert.deepEqual([actions, replace_paths], [['delete', 'create'], [path]]);
      }
    });

    it('may be known only after apply, one by one or a whole list, set, map or number of blocks', async () => {
      await w.events();
      await w.write(`
resource "probe_thing" "first" { name = "first" }
resource "probe_thing" "second" {
  name  = probe_thing.first.id
  size  = probe_thing.first.revision
  list  = [for n in range(probe_thing.first.revision) : "n\${n}"]
  set   = [probe_thing.first.id, "known"]
  map   = { for n in range(probe_thing.first.revision) : "n\${n}" => n }
  any   = { id = probe_thing.first.id, known = [1] }
  many  = [{ label = probe_thing.first.id }]
  some  = [{ label = probe_thing.first.id }, { label = "known" }]
  named = { for n in range(probe_thing.first.revision) : "n\${n}" => { label = "l" } }
  one   = probe_thing.first.revision > 5 ? null : { label = "l" }
  dynamic "port" {
    for_each = range(probe_thing.first.revision)
    content {
      number = port.value
    }
  }
}`);
      await w.apply();
      assert.ok(await w.isDone());
      const { any, size, list, set, map, many, some, named, one, port } = await w.state('probe_thing.second');
      assert.deepEqual([size, list, set, map], [1, ['n0'], ['id-first', 'known'], { n0: 0 }]);
      assert.deepEqual(
        [many[0].mark, one.mark, named.n0.mark],
        ['mark of id-first', 'mark of l', 'mark of l'],
      );
      assert.equal(some.length, 2);
      assert.deepEqual(any.value, { id: 'id-first', known: [1] });
      assert.deepEqual(port, [{ number: 0, open: false, from: [] }]);
    });

    it('may be 10,000 in a list and a map, 1,000 nested and in blocks, 200 in a set', async function () {
      this.timeout(400_000);
      // Both programs compare every element of a set with every other: thousands take them minutes.
      const of = 'for n in local.numbers :';
      await w.write(`
locals {
  numbers = flatten([for i in range(100) : range(i * 100, i * 100 + 100)])
}
resource "probe_thing" "large" {
  name = "large"
  list = [${of} "n\${n}"]
  set  = [for n in range(200) : "n\${n}"]
  map  = { ${of} "n\${n}" => n }
  many = [for n in range(1000) : { label = "l\${n}" }]
  dynamic "port" {
    for_each = range(1000)
    content {
      number = port.value
    }
  }
}`);
      await w.apply();
      assert.ok(await w.isDone());
      const { list, set, map, many: nested, port } = await w.state('probe_thing.large');
      assert.deepEqual(
        [list.length, set.length, Object.keys(map).length, nested.length, port.length],
        [10_000, 200, 10_000, 1_000, 1_000],
      );
      assert.equal(nested[999].mark, 'mark of l999');
    });
  });
