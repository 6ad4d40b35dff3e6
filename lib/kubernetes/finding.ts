/** Something in a cluster that is not as it has to be. */
export type Finding = {
  /** Stable; the kind of object is part of it: `webhook.failure-policy`. */
  readonly id: string;
  /** Which object and field, and what it is. */
  readonly setting: string;
  /** What it lets an attacker do, or what it breaks. */
  readonly allows: string;
  readonly fix: string;
};

export type ClusterReport = {
  /** Faults, and whatever could not be looked at. */
  readonly findings: readonly Finding[];
  /** For a human to judge: whether they are meant, nobody can see from here. */
  readonly warnings: readonly Finding[];
};

const MOST = 1_000;

/** Names and messages in a cluster are chosen by strangers, and a finding is shown in a terminal. */
export function finding(id: string, setting: string, allows: string, fix: string): Finding {
  return { id, setting: clean(setting), allows: clean(allows), fix: clean(fix) };
}

/** The first few of a list, and how many more there are. */
export function named(list: readonly string[], most = 10): string {
  const more = list.length - most;
  return `${list.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function clean(text: string): string {
  const plain = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ');
  return plain.length > MOST ? `${plain.slice(0, MOST)}…` : plain;
}
