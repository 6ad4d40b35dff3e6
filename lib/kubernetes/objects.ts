// Of each kind of object the fields that are read. All may be missing.

type Texts = Readonly<Record<string, string>>;

export type Metadata = {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Texts;
  readonly annotations?: Texts;
  readonly creationTimestamp?: string;
  readonly ownerReferences?: readonly { readonly kind?: string; readonly name?: string }[];
  readonly managedFields?: readonly { readonly time?: string; readonly fieldsV1?: unknown }[];
};

export type Node = {
  readonly metadata?: Metadata;
  readonly status?: { readonly nodeInfo?: { readonly kubeletVersion?: string } };
};

export type Namespace = { readonly metadata?: Metadata };

export type Container = {
  readonly name?: string;
  readonly image?: string;
  readonly restartPolicy?: string;
  readonly env?: readonly { readonly name?: string; readonly value?: string }[];
};

export type ContainerStatus = {
  readonly name?: string;
  readonly ready?: boolean;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
};

type ContainerState = {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: { readonly reason?: string; readonly message?: string; readonly exitCode?: number };
};

export type PodSpec = {
  readonly serviceAccountName?: string;
  readonly hostNetwork?: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
};

export type Pod = {
  readonly metadata?: Metadata;
  readonly spec?: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
};

export type Deployment = {
  readonly metadata?: Metadata;
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly metadata?: Metadata; readonly spec?: PodSpec };
  };
  readonly status?: { readonly readyReplicas?: number };
};

export type Service = {
  readonly metadata?: Metadata;
  readonly spec?: { readonly selector?: Texts };
};

export type DisruptionBudget = {
  readonly metadata?: Metadata;
  readonly spec?: { readonly selector?: LabelSelector };
};

/** A Secret without what it holds. */
export type Secret = { readonly metadata?: Metadata; readonly type?: string };

export type LabelSelector = {
  readonly matchLabels?: Texts;
  readonly matchExpressions?: readonly {
    readonly key?: string;
    readonly operator?: string;
    readonly values?: readonly string[];
  }[];
};

export type WebhookConfiguration = {
  readonly metadata?: Metadata;
  readonly webhooks?: readonly Webhook[];
};

export type Webhook = {
  readonly name?: string;
  readonly clientConfig?: {
    readonly caBundle?: string;
    readonly url?: string;
    readonly service?: { readonly name?: string; readonly namespace?: string; readonly path?: string };
  };
  readonly failurePolicy?: string;
  readonly sideEffects?: string;
  readonly timeoutSeconds?: number;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly rules?: readonly {
    readonly operations?: readonly string[];
    readonly resources?: readonly string[];
  }[];
};

/** A Role, or a ClusterRole where it has no namespace. */
export type Role = { readonly metadata?: Metadata; readonly rules?: readonly PolicyRule[] | null };

export type PolicyRule = {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs?: readonly string[];
};

export type RoleBinding = {
  readonly metadata?: Metadata;
  readonly roleRef?: { readonly kind?: string; readonly name?: string };
  readonly subjects?: readonly Subject[] | null;
};

export type Subject = { readonly kind?: string; readonly name?: string; readonly namespace?: string };
