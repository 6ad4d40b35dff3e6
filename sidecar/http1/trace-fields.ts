import { COLON } from './bytes.ts';
import { isDropped, withoutSpace } from './field-lines.ts';
import { ALIAS, nameOf, nameTable } from './names.ts';
import type { RequestHead } from './request.ts';

/** What the kept header lines of a request say of its trace, by name; of each name all lines, in their order. */
export type TraceFields = {
  readonly traceparent: string[];
  readonly tracestate: string[];
  readonly baggage: string[];
  readonly requestId: string[];
};

const TRACEPARENT = 20;
const TRACESTATE = 21;
const BAGGAGE = 22;
const REQUEST_ID = 23;
const TABLE = nameTable({
  traceparent: TRACEPARENT,
  tracestate: TRACESTATE,
  baggage: BAGGAGE,
  'x-request-id': REQUEST_ID,
});

export function readTraceFields(head: RequestHead): TraceFields {
  const fields = { traceparent: [], tracestate: [], baggage: [], requestId: [] } as TraceFields;
  each(head, (id, nameEnd, end) => {
    const lines =
      id === TRACEPARENT
        ? fields.traceparent
        : id === TRACESTATE
          ? fields.tracestate
          : id === BAGGAGE
            ? fields.baggage
            : id === REQUEST_ID
              ? fields.requestId
              : null;
    lines?.push(withoutSpace(head.bytes.toString('latin1', nameEnd + 1, end)));
  });
  return fields;
}

/** Leaves those lines out of what goes on, in every spelling; `baggage` only if it shall. */
export function dropTraceFields(head: RequestHead, baggage: boolean): void {
  each(head, (id, _nameEnd, end, start) => {
    if (id !== BAGGAGE || baggage) head.dropLate(start, end + 2);
  });
}

/** Tells of each kept line with one of the names; of one in another spelling as an `ALIAS`. `end` is that of the value. */
function each(
  head: RequestHead,
  told: (id: number, nameEnd: number, end: number, start: number) => void,
): void {
  const { bytes, linesEnd } = head;
  for (let start = head.linesStart; start < linesEnd; ) {
    const nameEnd = bytes.indexOf(COLON, start);
    const end = bytes.indexOf('\r\n', nameEnd, 'latin1');
    const id = nameOf(TABLE, bytes, start, nameEnd);
    if ((id >= TRACEPARENT || id === ALIAS) && !isDropped(head, start)) told(id, nameEnd, end, start);
    start = end + 2;
  }
}
