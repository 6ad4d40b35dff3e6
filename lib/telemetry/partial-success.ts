/** How many of a batch a collector did not take although it took the request: its answer's `partialSuccess` tells. */
export function rejectedIn(answer: unknown): number {
  const { partialSuccess } = Object(answer) as { readonly partialSuccess?: unknown };
  const { rejectedSpans, rejectedLogRecords, rejectedDataPoints } = Object(partialSuccess) as Record<
    string,
    unknown
  >;
  const rejected = Number(rejectedSpans ?? rejectedLogRecords ?? rejectedDataPoints);
  return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
}
