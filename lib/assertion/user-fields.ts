import type { User } from '../policy/index.ts';

/** What an app is told of the end user. */
export type UserFields = {
  /** `"alice";iss="https://idp.example"`: an item of structured fields (RFC 9651). Null: it cannot be told in a header. */
  readonly user: string | null;
  /** A JSON object; null when no claim is chosen that the user has, or it cannot be told whose they are. */
  readonly claims: string | null;
  /** What was left out: too long, or not to be told in a header. */
  readonly left: number;
};

/** Bytes of an identifier as UTF-8, of one claim and of all as JSON. */
const MOST_IDENTIFIER = 1_024;
const MOST_CLAIM = 1_024;
const MOST_CLAIMS = 4_096;

/** Values come from tokens that others write: what would not fit a header is left out, and what could break one is encoded. */
export function userFields(user: User, chosen: readonly string[]): UserFields {
  const [subject, issuer] = [structuredText(user.subject), structuredText(user.issuer)];
  if (subject === null || issuer === null) return { user: null, claims: null, left: 1 };
  let left = 0;
  let members = '';
  for (const name of chosen) {
    if (!Object.hasOwn(user.claims, name)) continue;
    const value = JSON.stringify(user.claims[name]) as string | undefined;
    if (value === undefined) continue;
    const member = `${members === '' ? '' : ','}${JSON.stringify(name)}:${value}`;
    const bytes = Buffer.byteLength(member);
    if (bytes > MOST_CLAIM || Buffer.byteLength(members) + bytes > MOST_CLAIMS) left++;
    else members += member;
  }
  return { user: `${subject};iss=${issuer}`, claims: members === '' ? null : `{${members}}`, left };
}

/** A string of RFC 9651 §3.3.3, or where that cannot hold it a display string (§3.3.8). Null: too long, or no text. */
function structuredText(text: string): string | null {
  if (!text.isWellFormed() || Buffer.byteLength(text) > MOST_IDENTIFIER) return null;
  if (VISIBLE.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  let encoded = '%"';
  for (const byte of Buffer.from(text))
    encoded +=
      byte < 0x20 || byte > 0x7e || byte === PERCENT || byte === QUOTE
        ? `%${byte.toString(16).padStart(2, '0')}`
        : String.fromCharCode(byte);
  return `${encoded}"`;
}

const VISIBLE = /^[\x20-\x7e]*$/;
const PERCENT = 0x25;
const QUOTE = 0x22;
