/** Something in a Vault that is not as it has to be. */
export type Finding = {
  /** Stable; the setting is part of it: `pki-role-workload.allow_ip_sans`. */
  readonly id: string;
  /** Which setting, and what it is. */
  readonly setting: string;
  /** What it lets an attacker do, or what it breaks. */
  readonly allows: string;
  readonly fix: string;
};

export type Report = {
  /** Faults: with any of these the layout does not hold. */
  readonly findings: readonly Finding[];
  /** For a human to judge: doctor cannot know whether they are meant. */
  readonly warnings: readonly Finding[];
};

export const APPLY = 'run signet vault apply';
