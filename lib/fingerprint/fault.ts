/** Why a request's proof does not hold. */
export type ProofFault =
  /** There is none. */
  | 'proof_missing'
  /** By less than is asked for. */
  | 'proof_weak'
  | 'proof_malformed'
  | 'proof_signature'
  | 'proof_expired'
  /** Made later than now: one of two clocks is wrong. */
  | 'proof_future'
  | 'proof_replayed'
  /** For another connection, or nobody showed that this one is the SVID's. */
  | 'proof_channel'
  | 'proof_method'
  | 'proof_path'
  | 'proof_query'
  | 'proof_body'
  | 'proof_audience';
