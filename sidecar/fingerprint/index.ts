export { createProofs } from './proofs.ts';
export { createProver, type Prover } from './prover.ts';
export { proofsFor, proverFor } from './wiring.ts';
