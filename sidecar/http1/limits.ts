/** How much of a head is read. */
export type HeadLimits = {
  /** Bytes of a whole head, its blank line too. */
  readonly headBytes: number;
  /** Header lines, at most 256. */
  readonly fields: number;
  readonly targetBytes: number;
};

export const HEAD_LIMITS: HeadLimits = { headBytes: 16_384, fields: 100, targetBytes: 8_192 };
