import {
  BodyFollower,
  HEAD_LIMITS,
  HeadWriter,
  NEED_MORE,
  NOTHING,
  RequestHead,
  refusalOf,
  scanRequest,
} from '../../../sidecar/http1/index.ts';

/** What becomes of one request: a refusal's code, or the bytes that go on and how many of those that came they stand for. */
export type Outcome =
  | { readonly refused: string }
  | { readonly forwarded: string; readonly used: number }
  | 'incomplete';

const writer = new HeadWriter();

/** Reads one request that arrives in these pieces, as an accepted connection does. */
export function relayed(pieces: readonly Buffer[], append: Buffer = NOTHING): Outcome {
  const head = new RequestHead();
  const body = new BodyFollower();
  const out: Buffer[] = [];
  let held = NOTHING;
  let used = 0;
  let inBody = false;
  for (const piece of pieces) {
    let from = 0;
    let b = Buffer.from(piece);
    if (!inBody) {
      held = b = Buffer.concat([held, b]);
      const result = scanRequest(b, 0, b.length, HEAD_LIMITS, head);
      if (result === NEED_MORE) continue;
      if (result < 0) return { refused: refusalOf(result).code };
      out.push(Buffer.from(writer.request(b, head, append, result, result)));
      body.begin(head);
      inBody = true;
      used = from = result;
    }
    if (!body.done) {
      const result = body.feed(b, from, b.length);
      if (result < 0) return { refused: refusalOf(result).code };
      const end = result === NEED_MORE ? b.length : result;
      out.push(b.subarray(from, end));
      used += end - from;
    }
    if (body.done) return { forwarded: Buffer.concat(out).toString('latin1'), used };
  }
  return 'incomplete';
}

/** `bytes` cut at these positions. */
export function cut(bytes: Buffer, ...at: readonly number[]): Buffer[] {
  const ends = [...at, bytes.length];
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}
