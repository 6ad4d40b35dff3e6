/** One whole message, read by nothing but RFC 9112's letter. */
export type Message = {
  /** Every byte of it, a char each. */
  readonly raw: string;
  /** Its first line. */
  readonly start: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Without its framing. */
  readonly body: string;
};

/** `rest` is what is no whole message yet. */
export type Reading = { readonly messages: readonly Message[]; readonly rest: string };

export function readRequests(text: string): Reading {
  return read(text, () => false);
}

/** `heads` tells of each final response in turn whether it answers HEAD. Interim responses are messages too. */
export function readResponses(text: string, heads: readonly boolean[] = []): Reading {
  let finals = 0;
  return read(text, (start) => {
    const status = start.split(' ')[1] ?? '';
    if (status.startsWith('1')) return true;
    return heads[finals++] === true || status === '204' || status === '304';
  });
}

export function isFinal({ start }: Message): boolean {
  return !/^HTTP\/1\.1 1/.test(start);
}

/** The value of the only field of that name. */
export function field({ fields }: Message, name: string): string | undefined {
  return fields.find(([each]) => each.toLowerCase() === name)?.[1];
}

function read(text: string, bodiless: (start: string) => boolean): Reading {
  const messages: Message[] = [];
  let at = 0;
  for (;;) {
    const blank = text.indexOf('\r\n\r\n', at);
    if (blank === -1) break;
    const [start = '', ...lines] = text.slice(at, blank).split('\r\n');
    const fields = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')] as const;
    });
    const body = bodiless(start) ? { end: blank + 4, content: '' } : bodyAt(text, blank + 4, fields);
    if (body === null) break;
    messages.push({ raw: text.slice(at, body.end), start, fields, body: body.content });
    at = body.end;
  }
  return { messages, rest: text.slice(at) };
}

function bodyAt(text: string, at: number, fields: Message['fields']) {
  const of = (name: string) => fields.find(([each]) => each.toLowerCase() === name)?.[1];
  if (of('transfer-encoding') !== undefined) return chunksAt(text, at);
  const end = at + Number(of('content-length') ?? 0);
  return end <= text.length ? { end, content: text.slice(at, end) } : null;
}

function chunksAt(text: string, at: number): { end: number; content: string } | null {
  let content = '';
  for (;;) {
    const size = /^([0-9a-fA-F]+)\r\n/.exec(text.slice(at, at + 20));
    if (size === null) return null;
    const length = Number.parseInt(size[1]!, 16);
    at += size[0].length;
    if (length === 0) break;
    if (text.slice(at + length, at + length + 2) !== '\r\n') return null;
    content += text.slice(at, at + length);
    at += length + 2;
  }
  while (!text.startsWith('\r\n', at)) {
    const line = text.indexOf('\r\n', at);
    if (line === -1) return null;
    at = line + 2;
  }
  return { end: at + 2, content };
}
