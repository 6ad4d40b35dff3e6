import type { ProofFault } from '../../lib/fingerprint/index.ts';

/** What a caller is told of a proof that does not hold. */
export const DETAILS: Readonly<Record<ProofFault, string>> = {
  proof_missing: 'the request is not proven: it has no Workload-Proof-Token',
  proof_weak: "the request is proven by the connection's key, and has to be by the key of the SVID",
  proof_malformed: 'there is not one Workload-Proof-Token, or it is none that can be read',
  proof_signature: "the request's proof is by another key than that of the SVID or the connection",
  proof_expired: "the request's proof has expired",
  proof_future: "the request's proof was made later than now: one of two clocks is wrong",
  proof_replayed: "the request's proof has been used, or is older than those that are remembered",
  proof_channel:
    "the request's proof is for another connection, or nobody has shown by the SVID's key that this one is its own",
  proof_method: "the request's proof is for another method",
  proof_path: "the request's proof is for another path",
  proof_query: "the request's proof is for another query",
  proof_body: "the request's proof is for another body, or says otherwise what of it is covered",
  proof_audience: "the request's proof is for another host",
};
