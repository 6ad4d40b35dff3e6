/** JSON text read, with the pointers (RFC 6901) of members that an object has twice; or where it stops being JSON. */
export type JsonText =
  | { readonly ok: true; readonly value: unknown; readonly repeated: readonly string[] }
  | { readonly ok: false; readonly where: string };

/**
 * `JSON.parse`, plus what it keeps silent about: of two members of one name it takes the last, while a person reads the first.
 * After `mostRepeated` of these no more are looked for: to name each costs as much as it is deep.
 */
export function readJson(text: string, mostRepeated = Number.POSITIVE_INFINITY): JsonText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The engine's message quotes the text, which may be a secret given by mistake: only the place is taken from it.
    const place = /line (\d+) column (\d+)/.exec(String(error));
    return { ok: false, where: place === null ? 'at its end' : `in line ${place[1]}, column ${place[2]}` };
  }
  return { ok: true, value, repeated: repeatedMembers(text, mostRepeated) };
}

/** A reference token of a JSON pointer. */
export function escapePointer(token: string): string {
  return token.replaceAll('~', '~0').replaceAll('/', '~1');
}

type Frame = { readonly members: Set<string> | null; key: string; index: number };

/** Walks text that is known to be JSON. */
function repeatedMembers(text: string, most: number): string[] {
  const repeated: string[] = [];
  const frames: Frame[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length && repeated.length < most; at++) {
    const frame = frames.at(-1);
    switch (text[at]) {
      case '{':
        frames.push({ members: new Set(), key: '', index: 0 });
        expectsKey = true;
        break;
      case '[':
        frames.push({ members: null, key: '', index: 0 });
        expectsKey = false;
        break;
      case '}':
      case ']':
        frames.pop();
        break;
      case ',':
        if (frame !== undefined) frame.index += 1;
        expectsKey = frame?.members != null;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (expectsKey && frame?.members) {
          frame.key = JSON.parse(text.slice(at, end + 1)) as string;
          if (frame.members.has(frame.key)) repeated.push(pointerOf(frames));
          frame.members.add(frame.key);
          expectsKey = false;
        }
        at = end;
        break;
      }
    }
  }
  return repeated;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
}

function pointerOf(frames: readonly Frame[]): string {
  return frames
    .map((frame) => `/${frame.members === null ? frame.index : escapePointer(frame.key)}`)
    .join('');
}
