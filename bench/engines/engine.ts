/** A policy engine with the rules and the requests of policy-rules.ts, each request in the form in which it is asked. */
export type Engine = {
  /** Judges the request of this number. */
  allows(index: number): boolean;
};
