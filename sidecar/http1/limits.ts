/** How much of a head is read, and in which form. */
export type HeadLimits = {
  /** Bytes of a whole head, its blank line too. */
  readonly headBytes: number;
  /** Header lines, at most 256. */
  readonly fields: number;
  readonly targetBytes: number;
  /** A target may be absolute, as a client writes it for a forward proxy. */
  readonly absoluteTarget?: boolean;
};

export const HEAD_LIMITS: HeadLimits = { headBytes: 16_384, fields: 100, targetBytes: 8_192 };
