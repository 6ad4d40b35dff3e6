/** A `path` of somebody's policy: where, and what it grants there. */
export type Grant = { readonly path: string; readonly capabilities: readonly string[] };

/**
 * Reads the paths of a policy in HCL or JSON, as far as Vault would.
 * @returns undefined when it cannot be read, which a human then has to
 */
export function readPolicy(text: string): Grant[] | undefined {
  try {
    return text.trimStart().startsWith('{') ? readJson(text) : readHcl(text);
  } catch {
    return undefined;
  }
}

/** Whether some request path matches both: `+` is one segment, a star at the end is any rest. */
export function overlaps(a: string, b: string): boolean {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let i = 0; ; i++) {
    const [l, r] = [left[i], right[i]];
    if (l === undefined || r === undefined) return l === r;
    const [lOpen, rOpen] = [isOpen(left, i), isOpen(right, i)];
    if (lOpen || rOpen) return meet(lOpen ? l.slice(0, -1) : l, lOpen, rOpen ? r.slice(0, -1) : r, rOpen);
    if (l !== r && l !== '+' && r !== '+') return false;
  }
}

function isOpen(segments: readonly string[], i: number): boolean {
  return i === segments.length - 1 && segments[i]!.endsWith('*');
}

function meet(l: string, lOpen: boolean, r: string, rOpen: boolean): boolean {
  if ((l === '+' && !lOpen) || (r === '+' && !rOpen)) return true;
  return (lOpen && r.startsWith(l)) || (rOpen && l.startsWith(r));
}

const OLD_POLICIES: Readonly<Record<string, readonly string[]>> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
};

function readJson(text: string): Grant[] {
  const { path = {} } = JSON.parse(text) as { path?: Record<string, Block> | Record<string, Block>[] };
  return [path].flat().flatMap((paths) => Object.entries(paths).map(([at, block]) => grantOf(at, block)));
}

type Block = Readonly<Record<string, unknown>>;

function grantOf(path: string, block: Block): Grant {
  const named = block['capabilities'];
  const old = OLD_POLICIES[String(block['policy'] ?? '')] ?? [];
  return { path, capabilities: [...(Array.isArray(named) ? named.map(String) : []), ...old] };
}

function readHcl(text: string): Grant[] {
  const tokens = tokensOf(text);
  const grants: Grant[] = [];
  let at = 0;
  const next = () => tokens[at++];
  while (at < tokens.length) {
    const word = next();
    if (word?.text !== 'path') {
      // `name = "…"`, the one other thing a policy may hold.
      if (next()?.text !== '=') throw new Error('not a policy');
      at++;
      continue;
    }
    const path = next();
    if (path === undefined || !path.quoted || next()?.text !== '{') throw new Error('not a path');
    grants.push(grantOf(path.text, readBlock()));
  }
  return grants;

  function readBlock(): Block {
    const block: Record<string, unknown> = {};
    for (;;) {
      const key = next();
      if (key === undefined) throw new Error('a block without an end');
      if (!key.quoted && key.text === '}') return block;
      if (!key.quoted && key.text === ',') continue;
      if (tokens[at]?.text === '=') at++;
      block[key.text] = readValue();
    }
  }

  function readValue(): unknown {
    const token = next();
    if (token === undefined) throw new Error('a key without a value');
    if (token.quoted) return token.text;
    if (token.text === '{') return readBlock();
    if (token.text !== '[') return token.text;
    const items: unknown[] = [];
    while (tokens[at] !== undefined && !(tokens[at]!.text === ']' && !tokens[at]!.quoted)) {
      if (tokens[at]!.text === ',' && !tokens[at]!.quoted) at++;
      else items.push(readValue());
    }
    if (next() === undefined) throw new Error('a list without an end');
    return items;
  }
}

type Token = { readonly text: string; readonly quoted: boolean };

const TOKEN = /\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|("(?:[^"\\]|\\.)*")|([{}[\],=])|([A-Za-z0-9_.+-]+)/y;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) throw new Error('not HCL');
    const [, quoted, mark, word] = match;
    if (quoted !== undefined) tokens.push({ text: JSON.parse(quoted), quoted: true });
    else if (mark !== undefined || word !== undefined) tokens.push({ text: (mark ?? word)!, quoted: false });
  }
  return tokens;
}
