import type {
  Deployment,
  DisruptionBudget,
  Namespace,
  Node,
  Pod,
  Role,
  RoleBinding,
  Secret,
  Service,
  WebhookConfiguration,
} from './objects.ts';

/** What was looked at, or why it could not be: that is never taken for nothing. */
export type Look<T> = { readonly seen: T } | Unseen;
export type Unseen = { readonly what: string; readonly unseen: string };

/** A cluster as it was when it was looked at. */
export type Snapshot = {
  /** The namespace that brokers are in. */
  readonly namespace: string;
  /** `v1.34.4` */
  readonly version: Look<string>;
  readonly nodes: Look<readonly Node[]>;
  /** Whether the API server kept `restartPolicy: Always` of an init container, in a pod created as a dry run. */
  readonly nativeSidecars: Look<boolean>;
  /** The audiences of a token that was asked for the audience `signet`. */
  readonly audiences: Look<readonly string[]>;
  readonly namespaces: Look<readonly Namespace[]>;
  readonly broker: Look<Deployment | undefined>;
  readonly budgets: Look<readonly DisruptionBudget[]>;
  /** All of the cluster's. */
  readonly mutating: Look<readonly WebhookConfiguration[]>;
  readonly validating: Look<readonly WebhookConfiguration[]>;
  /** Undefined where no namespace has opted in. */
  readonly trial: Look<Trial> | undefined;
  readonly rbac: Rbac;
  /** The broker's namespace and those that have opted in, by name. */
  readonly spaces: Readonly<Record<string, Space>>;
};

/** A pod that asks for a sidecar, created as a dry run. */
export type Trial = {
  readonly namespace: string;
  readonly outcome: 'injected' | 'not-injected' | 'refused';
  /** The API server's words. */
  readonly says: string;
};

export type Rbac = {
  readonly clusterRoles: Look<readonly Role[]>;
  readonly clusterRoleBindings: Look<readonly RoleBinding[]>;
  readonly roles: Look<readonly Role[]>;
  readonly roleBindings: Look<readonly RoleBinding[]>;
};

export type Space = {
  readonly pods: Look<readonly Pod[]>;
  readonly deployments: Look<readonly Deployment[]>;
  readonly services: Look<readonly Service[]>;
  /** Those of type `kubernetes.io/service-account-token`. */
  readonly tokenSecrets: Look<readonly Secret[]>;
};

export function seenOf<T>(look: Look<T> | undefined): T | undefined {
  return look !== undefined && 'seen' in look ? look.seen : undefined;
}

export function unseenOf(snapshot: Snapshot): Unseen[] {
  const { namespace, rbac, spaces, ...rest } = snapshot;
  const looks = [
    ...Object.values(rest),
    ...Object.values(rbac),
    ...Object.values(spaces).flatMap((space) => Object.values<Look<unknown>>(space)),
  ];
  return looks.filter((look): look is Unseen => look !== undefined && 'unseen' in look);
}
