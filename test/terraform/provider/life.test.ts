import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { drivers, openProbe, type ProbeWorkspace } from './workspace.ts';

const APPLY = ['apply', '-auto-approve', '-input=false', '-no-color'] as const;

for (const driver of drivers())
  describe(`the life of a resource, with ${driver.name}`, function () {
    this.timeout(120_000);
    let w: ProbeWorkspace;
    before(async function () {
      if (driver.program === undefined) return this.skip();
      w = await openProbe(driver);
    });
    after(() => w?.[Symbol.asyncDispose]());
    const refused = async (args: readonly string[], ...patterns: readonly RegExp[]) => {
      const ran = await w.run(args);
      assert.equal(ran.code, 1, ran.out);
      const told = plain(ran.err);
      for (const pattern of patterns) assert.match(told, pattern);
      assert.doesNotMatch(told + ran.out, /never shown|super-secret/);
      return told;
    };

    it('runs from creation over drift and update to removal, with what it keeps for itself', async () => {
      await w.write('resource "probe_thing" "a" {\n  name = "a"\n  note = "first"\n}\n');
      await w.apply();
      assert.deepEqual(await w.events(), ['create a token unset', 'decided a']);
      w.store.change((things) => void (things['a'] = { revision: 1, note: 'by another' }));
      assert.equal(await w.isDone(), false);
      await w.apply();
      assert.deepEqual(
        (await w.events()).filter((event) => !event.startsWith('read')),
        ['update a token unset {"made":1}', 'decided a'],
      );
      assert.ok(await w.isDone());
      assert.deepEqual(await w.events(), ['read a {"made":1,"updated":2}']);
      w.store.change((things) => void delete things['a']);
      assert.equal(await w.isDone(), false);
      await w.apply();
      await w.ok('destroy', '-auto-approve', '-input=false', '-no-color');
      assert.deepEqual(w.store.things(), {});
    });

    it('begins with an import, by command or by block, and ends there where nothing is to import', async () => {
      w.store.change((things) => void (things['there'] = { revision: 3, note: 'n' }));
      await w.write('resource "probe_thing" "a" {\n  name = "there"\n  note = "n"\n}\n');
      await w.ok('import', '-no-color', 'probe_thing.a', 'there');
      assert.ok(await w.isDone());
      await refused(['import', '-no-color', 'probe_thing.b', 'absent'], /probe_thing\.b/);
      await w.ok('state', 'rm', 'probe_thing.a');
      await w.write(`import {
  to = probe_thing.a
  id = "absent"
}
resource "probe_thing" "a" {
  name = "absent"
}
`);
      await refused(['plan', '-input=false', '-no-color'], /There is no thing absent/);
      await w.write(`import {
  to = probe_thing.a
  id = "there"
}
resource "probe_thing" "a" {
  name = "there"
  note = "n"
}
`);
      const { out } = await w.apply();
      assert.match(out, /1 imported, 0 added, 0 changed, 0 destroyed/);
      await w.ok('destroy', '-auto-approve', '-input=false', '-no-color');
    });

    it('is read by a data source, also within the same run', async () => {
      await w.write(`resource "probe_thing" "a" {
  name = "a"
}
data "probe_thing" "a" {
  name = probe_thing.a.id == "" ? "" : probe_thing.a.name
}
`);
      await w.apply();
      assert.equal((await w.state('data.probe_thing.a')).revision, 1);
      await w.write('data "probe_thing" "a" {\n  name = "absent"\n}\n');
      await refused(['plan', '-input=false', '-no-color'], /There is no such thing[\s\S]*name = "absent"/);
      await w.write('');
      await w.apply();
    });

    it('does not begin where the configuration is refused: each fault at its place, within one run', async () => {
      await w.write(`resource "probe_thing" "a" {
  name = "Not This"
  note = "forbidden"
  timeouts {
    create = "soon"
  }
}
`);
      const told = await refused(
        ['validate', '-no-color'],
        /Only small letters and dashes/,
        /A note that is forbidden/,
        /A duration is written like/,
      );
      for (const line of ['name = "Not This"', 'note = "forbidden"', 'create = "soon"'])
        assert.ok(told.includes(line), line);
    });

    it('tells refusals, warnings and what was only half made', async () => {
      await w.write('resource "probe_thing" "a" {\n  name = "a"\n  behaviour = "refused"\n}\n');
      await refused(APPLY, /Not this name/, /Nor this element/);
      await w.write('resource "probe_thing" "a" {\n  name = "a"\n  behaviour = "warns"\n}\n');
      assert.match((await w.apply()).out, /Warning: It was made with care/);
      await w.write(
        'resource "probe_thing" "half" {\n  name = "half"\n  behaviour = "half"\n  many = [{ label = "l" }]\n}\n',
      );
      await refused(APPLY, /Only half of it was made/);
      // What is half made is removed and made anew.
      const { out } = await w.ok('plan', '-input=false', '-no-color');
      assert.match(out, /probe_thing\.half is tainted, so (it )?must be replaced/);
      await w.write('');
      await w.apply();
      assert.deepEqual(w.store.things(), {});
    });

    it('tells nothing but code and place of what a provider throws, and keeps going where it ends', async () => {
      const secret = 'password = "super-secret"\n  token = "super-secret"';
      for (const [behaviour, ...patterns] of [
        ['throws', /probe_thing: create failed unexpectedly \(TypeError\)/],
        ['plan-throws', /probe_thing: plan failed unexpectedly \(TypeError\)/],
        ['unfit', /probe_thing: create: not a number/, /VALUE_UNFIT/],
        ['dies', /Plugin did not respond/],
      ] as const) {
        await w.write(
          `resource "probe_thing" "a" {\n  name = "a"\n  behaviour = "${behaviour}"\n  ${secret}\n}\n`,
        );
        await refused(APPLY, ...patterns);
      }
      await w.write('');
      await w.apply();
    });

    it('is given up at its timeout, and at an interrupt, which the provider is told of', async () => {
      await w.write(
        'resource "probe_thing" "a" {\n  name = "a"\n  behaviour = "slow"\n  timeouts {\n    create = "300ms"\n  }\n}\n',
      );
      await refused(APPLY, /probe_thing: create: timed out/, /300ms/);
      await w.write('resource "probe_thing" "a" {\n  name = "a"\n  behaviour = "slow"\n}\n');
      await w.events();
      const child = await w.start(APPLY);
      const events: string[] = [];
      while (!events.includes('waiting a')) {
        assert.equal(await Promise.race([child.ended, setTimeout(50, 'running')]), 'running');
        events.push(...(await w.events()));
      }
      child.send('SIGINT');
      const { code } = await child.ended;
      assert.equal(code, 1);
      assert.match(plain(child.stderr()), /probe_thing: create: interrupted/);
      assert.ok((await w.events()).includes('told a'));
      await w.write('');
      await w.apply();
    });

    it('keeps what is write-only out of plan and state, and what is sensitive out of sight', async () => {
      const text = `resource "probe_thing" "a" {
  name = "a"
  password = "super-secret-password"
  token = "super-secret-token"
  token_version = 1
}
`;
      await w.write(text);
      await w.ok('plan', '-input=false', '-no-color', '-out=planned');
      const shown = (await w.ok('show', '-no-color', 'planned')).out;
      assert.match(shown, /password\s+= \(sensitive value\)/);
      assert.doesNotMatch(shown, /super-secret/);
      await w.events();
      await w.ok('apply', '-input=false', '-no-color', 'planned');
      const [made] = await w.events();
      assert.match(made ?? '', /^create a token [0-9a-f]{64}$/);
      assert.ok(await w.isDone());
      const state = await w.stateText();
      assert.ok(state.includes('super-secret-password'));
      assert.ok(!state.includes('super-secret-token'));
      await w.write(text.replace('token_version = 1', 'token_version = 2'));
      await w.apply();
      assert.ok((await w.events()).some((event) => /^update a token [0-9a-f]{64}/.test(event)));
      await w.write('');
      await w.apply();
    });

    it('may use an ephemeral value, which is opened, renewed, closed and kept nowhere', async () => {
      await w.events();
      await w.write(`ephemeral "probe_token" "t" {
  length   = 20
  renewals = true
}
resource "probe_thing" "a" {
  name      = "a"
  behaviour = "until-renewed"
  token     = ephemeral.probe_token.t.value
}
`);
      await w.apply();
      const events = await w.events();
      assert.ok(events.some((event) => /^create a token [0-9a-f]{64}$/.test(event)));
      const count = (begin: string) => events.filter((event) => event.startsWith(begin)).length;
      assert.ok(count('open') >= 1);
      assert.ok(events.includes('renew one'));
      assert.equal(count('close'), count('open'));
      assert.ok(!(await w.stateText()).includes('ephemeral-secret'));
      await w.write('');
      await w.apply();
    });

    it('goes on from a state of an earlier version, and not from one of a later', async () => {
      w.store.change((things) => void (things['a'] = { revision: 1, note: null }));
      await w.write('resource "probe_thing" "a" {\n  name = "a"\n}\n');
      await w.ok('import', '-no-color', 'probe_thing.a', 'a');
      const file = join(w.dir, 'terraform.tfstate');
      const state = JSON.parse(await w.stateText());
      const [instance] = state.resources[0].instances;
      await writeFile(
        file,
        JSON.stringify({
          ...state,
          resources: [
            {
              ...state.resources[0],
              instances: [
                { ...instance, schema_version: 1, attributes: { title: 'a', id: 'id-a', revision: 1 } },
              ],
            },
          ],
        }),
      );
      assert.ok(await w.isDone());
      await writeFile(
        file,
        JSON.stringify({
          ...state,
          resources: [{ ...state.resources[0], instances: [{ ...instance, schema_version: 3 }] }],
        }),
      );
      await refused(['plan', '-input=false', '-no-color'], /newer provider version/);
    });
  });

/** Without the frame that it is drawn in, and in one line where it was wrapped. */
function plain(text: string): string {
  return text.replace(/^[│╷╵ ]+/gm, '').replace(/\n(?=[a-z])/g, ' ');
}
