import type { Caller, Decider } from '../decide.ts';
import type { RequestFacts } from './facts.ts';

/** What was asked for a connection that lives on after it passed, and the policies by which it did. */
export type Asked = {
  readonly policy: Decider['policy'];
  readonly method: string;
  readonly path: string;
  readonly facts: RequestFacts;
};

type Passage = {
  readonly caller: Caller;
  /** Null: it is not known any more. */
  readonly asked: Asked | null;
  policy: Decider['policy'];
  readonly cut: () => void;
};

/** WebSockets and raw connections that stand: when the policies change, each is judged again by what was asked for it. */
export class Passages {
  private readonly decider: Decider;
  private readonly live = new Set<Passage>();

  constructor(decider: Decider) {
    this.decider = decider;
  }

  /** Call what it returns when the connection is over. */
  add(caller: Caller, asked: Asked | null, cut: () => void): () => void {
    const passage: Passage = { caller, asked, policy: asked?.policy ?? null, cut };
    this.live.add(passage);
    return () => void this.live.delete(passage);
  }

  /** Cuts those that would not pass now. One that cannot be judged now is judged the next time. @returns how many were cut */
  recheck(now: Date): number {
    const { decider } = this;
    const { policy } = decider;
    let cut = 0;
    for (const passage of this.live) {
      if (policy === null || passage.policy === policy) continue;
      const verdict = this.judge(passage, now);
      if (verdict === null) continue;
      passage.policy = policy;
      if (verdict === 'allow') continue;
      cut++;
      passage.cut();
    }
    return cut;
  }

  private judge({ caller, asked }: Passage, now: Date): 'allow' | 'deny' | null {
    if (asked === null) return 'deny';
    const { method, path, facts } = asked;
    facts.now = now;
    facts.assessed = null;
    return this.decider.decide(caller, method, path, now, facts)?.decision.effect ?? null;
  }
}
