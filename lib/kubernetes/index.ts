export type { ClusterReport, Finding } from './finding.ts';
export { judgeCluster } from './judge.ts';
export { AUDIENCE, BROKER, isOptedIn } from './names.ts';
export type {
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
export { sidecarOf } from './pods.ts';
export type { Look, Rbac, Snapshot, Space, Trial } from './snapshot.ts';
