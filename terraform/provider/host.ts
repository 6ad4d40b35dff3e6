import { isDeepStrictEqual } from 'node:util';
import type { Entry } from '../../lib/attestation/index.ts';
import { formed, textOf } from './checks.ts';
import type { Client } from './client.ts';
import {
  type Content,
  contentOf,
  createEntry,
  ENTRY_ATTRIBUTES,
  entryValues,
  idOf,
  readEntry,
  removeEntry,
  replaceEntry,
  split,
  written,
} from './entries.ts';
import { attributeOfSelector, matchOf, PROOF_ATTRIBUTES, proofFlaws, proofOf } from './host-proof.ts';
import { ProviderError, problem, type ResourceType, UNKNOWN, type Values } from './plugin/index.ts';

const UNITS = { m: 60, h: 3_600, d: 86_400 } as const;
const { appear_by, ...rest } = ENTRY_ATTRIBUTES;

/** A machine that is expected: how it proves which one it is, the SPIFFE ID it then gets, and by when it must have come. */
export const host: ResourceType<Client> = {
  name: 'signet_host',
  schema: {
    description:
      'A machine that is expected: how it proves which one it is, the SPIFFE ID it then gets, and by when it must have shown up. Removing it ends the identity: the next renewal is refused.',
    attributes: {
      ...rest,
      ...PROOF_ATTRIBUTES,
      appear_by: { ...appear_by!, computed: true, useStateForUnknown: true },
      appear_within: {
        type: 'string',
        optional: true,
        validate: formed(/^[1-9][0-9]{0,4}[mhd]$/, 'It is a number with m, h or d, such as 24h.'),
        description:
          'The same, from when it is created: `30m`, `24h` or `7d`. `appear_by` is then reckoned once.',
      },
    },
  },
  timeouts: { create: 120_000, read: 60_000, update: 120_000, delete: 120_000 },
  validate(config) {
    const isSet = (name: string) => (config[name] ?? null) !== null && config[name] !== UNKNOWN;
    const both = isSet('appear_by') && isSet('appear_within');
    return [
      ...proofFlaws(config),
      ...(both
        ? [
            problem('Two times', 'appear_by is reckoned from appear_within: set one of them.', [
              'appear_within',
            ]),
          ]
        : []),
    ];
  },
  plan({ config, prior, planned }) {
    if (config['appear_by'] !== null) return {};
    const within = config['appear_within'] ?? null;
    if (within === null) return { planned: { ...planned, appear_by: null } };
    const same = prior !== null && prior['appear_within'] === within && prior['appear_by'] !== null;
    return { planned: { ...planned, appear_by: same ? prior['appear_by']! : UNKNOWN } };
  },
  async create({ client, planned, signal }) {
    const content = wanted(planned, new Date());
    const reckoned = planned['appear_by'] === UNKNOWN;
    const how = { ...telling(content, signal), ...(reckoned && { mayDiffer: ['appear_by' as const] }) };
    return { state: stateOf(await createEntry(client, content, planned['enabled'] !== false, how), planned) };
  },
  async read({ client, state, signal }) {
    const found = await readEntry(client, String(state['id']), signal);
    return found && { state: stateOf(found, state) };
  },
  async update({ client, planned, signal }) {
    const content = wanted(planned, new Date());
    const entry = await replaceEntry(client, content, planned['enabled'] !== false, telling(content, signal));
    return { state: stateOf(entry, planned) };
  },
  remove: ({ client, state, signal }) => removeEntry(client, String(state['id']), signal),
  async import({ client, id, signal }) {
    split(id);
    const found = await readEntry(client, id, signal);
    if (found === undefined) throw new ProviderError(problem(`There is no entry ${id}`));
    if (proofOf(found.match) === undefined)
      throw new ProviderError(
        problem(
          `${id} is no host`,
          `It asks for ${Object.keys(found.match).join(', ')}: import it as a signet_entry.`,
        ),
      );
    return { state: stateOf(found, {}) };
  },
};

function wanted(planned: Values, now: Date): Content {
  const id = `${textOf(planned['tenant'])}/${textOf(planned['name'])}`;
  const content = contentOf(planned, matchOf(planned, id));
  const within = textOf(planned['appear_within']);
  if (planned['appear_by'] !== UNKNOWN || within === undefined) return content;
  const seconds = Number(within.slice(0, -1)) * UNITS[within.at(-1) as keyof typeof UNITS];
  const at = new Date(now.getTime() + seconds * 1000);
  return { ...content, appear_by: `${at.toISOString().slice(0, 19)}Z` };
}

function telling(content: Content, signal: AbortSignal) {
  const write = written('signet_host', content, content.spiffe_id, (pointer) => {
    const [, field, selector] = pointer.split('/');
    return field === 'match' ? attributeOfSelector(selector ?? Object.keys(content.match)[0]) : undefined;
  });
  return { write, signal };
}

/** As it is there. How the proof was written stays, while it says the same. */
function stateOf(found: Entry, known: Values): Values {
  const same = isDeepStrictEqual({ ...matchOf(known, idOf(found)) }, { ...found.match });
  const kept = Object.fromEntries(Object.keys(PROOF_ATTRIBUTES).map((name) => [name, known[name] ?? null]));
  return {
    ...entryValues(found),
    ...(same && known['tenant'] !== undefined ? kept : (proofOf(found.match) ?? {})),
    appear_within: known['appear_within'] ?? null,
  };
}
