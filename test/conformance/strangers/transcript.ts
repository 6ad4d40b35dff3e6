import { WEB } from '../../sidecar/support.ts';

type Lines = readonly (readonly [name: string, value: string])[];

/** What a client tells of one exchange; header lines in the order and spelling that it shows. */
export type Answer = {
  readonly interim: readonly { readonly status: number; readonly headers: Lines }[];
  readonly status: number;
  readonly headers: Lines;
  readonly body: { readonly length: number; readonly sha256: string } | null;
  /** The body, if it is small. */
  readonly text: string;
  readonly trailers: Lines;
  /** It was the first on its connection. */
  readonly fresh: boolean;
  readonly error: string;
};

export type Leeway = {
  /** The app is asked in another version of HTTP than the client asks in: names have no capitals, and their order is the version's. */
  readonly otherVersion: boolean;
  /** The app ends a connection after each answer, and may end a body so. */
  readonly http10: boolean;
  /** The client sends its header lines in any order. */
  readonly unordered: boolean;
};

const CALLER_HEADER = 'x-signet-caller';
/** Of one connection, and of one second. */
const OF_ONE_HOP = new Set(['connection', 'keep-alive', 'date']);
/** How a body is framed in HTTP/1.1; the body itself is compared. */
const FRAMING = new Set(['transfer-encoding']);

/** An answer without what may differ: of a hop, of a second, and the one header that the inbound sidecar adds to a request. */
export function comparable(answer: Answer, { otherVersion, http10, unordered }: Leeway): object {
  const lines = (given: Lines) => {
    const kept = given.filter(([name]) => {
      const lower = name.toLowerCase();
      return !OF_ONE_HOP.has(lower) && !((otherVersion || http10) && FRAMING.has(lower));
    });
    return otherVersion ? kept.map(([name, value]) => [name.toLowerCase(), value]).sort() : kept;
  };
  // what has no body may say so in HTTP/1.1
  const isLength = ([name, value]: Lines[number]) => /^content-length$/i.test(name) && value === '0';
  // curl asks for it in HTTP/1.1 alone
  const interim = answer.interim.filter(({ status }) => !otherVersion || status !== 100);
  const { fresh: _, ...told } = withoutBoundary(answer);
  const seen = requestSeen(answer);
  if (seen === undefined)
    return {
      ...told,
      interim: interim.map(({ status, headers }) => ({ status, headers: lines(headers) })),
      headers: lines(told.headers),
      trailers: lines(answer.trailers),
    };
  const { host, length, headers, ...rest } = seen;
  const asked = lines(
    headers.filter((line) => line[0].toLowerCase() !== CALLER_HEADER && !(otherVersion && isLength(line))),
  );
  return {
    ...told,
    body: null,
    text: {
      ...rest,
      headers: unordered ? asked.toSorted() : asked,
      ...(otherVersion ? {} : { host, length }),
    },
    headers: lines(answer.headers.filter(([name]) => !/^\(?(?:content-)?length\)?$/i.test(name))),
  };
}

/** Each answer of several ranges has a boundary of its own. */
function withoutBoundary(answer: Answer): Answer {
  const type = answer.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  const boundary = /; boundary=(\w+)/.exec(type ?? '')?.[1];
  if (boundary === undefined) return answer;
  const without = (text: string) => text.replaceAll(boundary, 'boundary');
  return {
    ...answer,
    headers: answer.headers.map(([name, value]) => [name, without(value)]),
    body: null,
    text: without(answer.text),
  };
}

/** Who called, as the app was told, if it told what it saw. */
export function callersSeen(answer: Answer): readonly string[] | undefined {
  const headers = requestSeen(answer)?.headers;
  return headers?.filter(([name]) => name.toLowerCase() === CALLER_HEADER).map(([, value]) => value);
}

export const CALLER: readonly string[] = [WEB];

type Seen = { readonly headers: Lines; readonly host?: string; readonly length?: number };

function requestSeen({ status, text }: Answer): Seen | undefined {
  if (status !== 200 || !text.startsWith('{')) return undefined;
  return JSON.parse(text) as Seen;
}
