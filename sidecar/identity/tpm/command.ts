import { sleep } from '../../../lib/adapter/lifecycle.ts';
import { sized, TpmError, TpmReader, u8, u16, u32 } from '../../../lib/tpm/index.ts';
import { AcquireError } from '../acquire-error.ts';
import type { TpmChannel } from './channel.ts';

/** TPM_CC (TPM 2.0 Part 2 §6.5.2). */
export const COMMAND = {
  createPrimary: 0x131,
  activateCredential: 0x147,
  nvRead: 0x14e,
  policySecret: 0x151,
  quote: 0x158,
  flushContext: 0x165,
  nvReadPublic: 0x169,
  readPublic: 0x173,
  startAuthSession: 0x176,
} as const;

export const HANDLE = {
  owner: 0x40000001,
  null: 0x40000007,
  password: 0x40000009,
  endorsement: 0x4000000b,
} as const;

export type Command = {
  readonly code: keyof typeof COMMAND;
  readonly handles?: readonly number[];
  /** Who vouches for the first handles: the empty password, or a policy session. */
  readonly sessions?: readonly ('password' | number)[];
  readonly parameters?: readonly Uint8Array[];
  /** Whether the response begins with a handle. */
  readonly makesHandle?: boolean;
};

export type Response = {
  readonly handle: number;
  /** The parameters. */
  readonly reader: TpmReader;
};

const TAG = { plain: 0x8001, sessions: 0x8002 };
const AGAIN = new Set([0x908, 0x90a, 0x922]);
const TRIES = 50;
const PAUSE_MS = 50;

/** What a TPM refused, by its response code. */
export class TpmRefusal extends AcquireError {
  readonly rc: number;
  constructor(code: keyof typeof COMMAND, rc: number) {
    const number = `0x${rc.toString(16).padStart(3, '0')}`;
    super('EVIDENCE_UNAVAILABLE', `the TPM refuses ${code}: ${number}${hint(rc)}`, {
      reason: `TPM_RC_${number}`,
    });
    this.rc = rc;
  }
}

/** Runs one command (TPM 2.0 Part 1 §18). @throws AcquireError */
export async function run(channel: TpmChannel, command: Command): Promise<Response> {
  const bytes = encode(command);
  for (let attempt = 1; ; attempt++) {
    const answer = await channel.exchange(bytes);
    try {
      const response = decode(answer, command);
      if (typeof response !== 'number') return response;
      if (!AGAIN.has(response) || attempt === TRIES) throw new TpmRefusal(command.code, response);
    } catch (error) {
      throw error instanceof TpmError ? unreadable(command.code) : error;
    }
    await sleep(PAUSE_MS);
  }
}

/** What a TPM said cannot be read. */
export function unreadable(code: keyof typeof COMMAND): AcquireError {
  return new AcquireError('EVIDENCE_UNAVAILABLE', `what the TPM answers to ${code} cannot be read`, {
    reason: 'TPM_MALFORMED',
  });
}

function encode({ code, handles = [], sessions = [], parameters = [] }: Command): Buffer {
  const vouched = sessions.map((session) =>
    Buffer.concat([
      u32(session === 'password' ? HANDLE.password : session),
      sized(), // no nonce
      u8(session === 'password' ? 0 : 1), // a policy session goes on
      sized(), // an empty password, or no HMAC
    ]),
  );
  const area = Buffer.concat(vouched);
  const body = Buffer.concat([
    ...handles.map(u32),
    ...(sessions.length === 0 ? [] : [u32(area.length), area]),
    ...parameters,
  ]);
  const tag = sessions.length === 0 ? TAG.plain : TAG.sessions;
  return Buffer.concat([u16(tag), u32(10 + body.length), u32(COMMAND[code]), body]);
}

/** The response, or the code of its refusal. */
function decode(answer: Buffer, { sessions = [], makesHandle = false }: Command): Response | number {
  const reader = new TpmReader(answer);
  const tag = reader.u16();
  if (reader.u32() !== answer.length) throw new TpmError('TPM_MALFORMED', 'a response of another length');
  const rc = reader.u32();
  if (rc !== 0) return rc;
  if (tag !== (sessions.length === 0 ? TAG.plain : TAG.sessions))
    throw new TpmError('TPM_MALFORMED', 'a response of another kind');
  const handle = makesHandle ? reader.u32() : 0;
  if (sessions.length === 0) return { handle, reader };
  return { handle, reader: new TpmReader(reader.take(reader.u32())) };
}

function hint(rc: number): string {
  // of the first format, the low bits say what is wrong and the others with which part (TPM 2.0 Part 2 §6.6)
  const kind = (rc & 0x80) !== 0 ? rc & 0xbf : rc;
  if (kind === 0x8e || kind === 0xa2) return ', a password is set on its endorsement hierarchy';
  if (kind === 0x921) return ', it is locked for now after wrong passwords';
  if (kind === 0x902 || kind === 0x903 || kind === 0x904)
    return ', it has no room: use the device of the resource manager';
  return '';
}
