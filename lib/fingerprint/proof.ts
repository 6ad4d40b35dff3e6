/** Of a workload proof token (draft-ietf-wimse-wpt). */
export const PROOF_TYPE = 'wpt+jwt';

const NAME_CHARS = 16;
const NUMBER = /^(?:0|[1-9]\d{0,14})$/;

/** Proofs of a connection are named by it and counted: no two of any connections have one name. */
export function proofNames(binding: string): string {
  return `${binding.slice(0, NAME_CHARS)}.`;
}

/** The count in a name that begins with `names`; -1 in any other. */
export function proofNumber(jti: string, names: string): number {
  const count = jti.startsWith(names) ? jti.slice(names.length) : '';
  return NUMBER.test(count) ? Number(count) : -1;
}
