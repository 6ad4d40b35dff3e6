/** Why an exchange with an app or an upstream came to nothing. */
export type Failure = {
  readonly kind: /** No connection came about. */
    | 'connect'
    /** It took too long to connect. */
    | 'connect-timeout'
    /** The connection ended before the whole response. */
    | 'closed'
    /** What came was no response that has one meaning. */
    | 'malformed'
    /** No answer in time. */
    | 'timeout'
    /** All its connections carry as much as they may. */
    | 'busy';
  /** The connection had served a request before: the peer may have closed it before it saw this one. */
  readonly reused: boolean;
  /** A stable word for the cause: an errno, a TLS or an SVID error code, a refusal's code. */
  readonly cause: string;
};

/** There is no address to connect to, at present. */
export const NOWHERE: Failure = { kind: 'connect', cause: 'no_endpoints', reused: false };

/**
 * The connection was cut before it stood, by no judgement of what either side showed: a process that went away, perhaps, where another
 * listens. Nothing of a request was sent on it.
 */
export function wasCut({ kind, cause }: Failure): boolean {
  return kind === 'connect' && (cause === 'ECONNRESET' || cause === 'EPIPE' || cause === 'closed');
}
