import type { Clock } from '../../lib/adapter/clock.ts';
import { isCovered, type Mode, ProofMaker } from '../../lib/fingerprint/index.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Svid } from '../identity/credentials.ts';
import type { Connection, RequestTransformer } from '../relay/index.ts';
import { channelOn, provenRequest } from './proven.ts';

/** Proves our requests to those who get them. */
export interface Prover {
  /** For the connections that are made with this SVID: their proofs are by its key, whatever SVID comes after it. */
  by(svid: Svid): RequestTransformer;
  /** Whether the request's body has to stand behind its head then. */
  needsBody(head: RequestHead): boolean;
}

export type ProverDeps = {
  readonly mode: Exclude<Mode, 'off'>;
  readonly ttlSeconds: number;
  readonly clock: Clock;
};

type Proving = { readonly maker: ProofMaker; readonly assertion: string };

export function createProver({ mode, ttlSeconds, clock }: ProverDeps): Prover {
  return {
    needsBody: isCovered,
    by({ id, key }) {
      const subject = id.toString();
      const connections = new WeakMap<Connection, Proving>();
      const begin = (connection: Connection, now: Date): Proving => {
        const maker = new ProofMaker(channelOn(connection.socket), { mode, ttlSeconds, key, subject });
        const assertion = maker.assertion(now);
        const proving = { maker, assertion: assertion === null ? '' : `x-signet-channel: ${assertion}\r\n` };
        connections.set(connection, proving);
        return proving;
      };
      return (head, connection) => {
        const now = clock.now();
        const { maker, assertion } = connections.get(connection) ?? begin(connection, now);
        const line = `workload-proof-token: ${maker.make(provenRequest(head), now)}\r\n`;
        // until there is an answer nobody can tell which of several requests is read first, or at all
        return Buffer.from(connection.answered ? line : line + assertion, 'latin1');
      };
    },
  };
}
