export {
  type AppliedDelegation,
  applyDelegation,
  brokerNetworks,
  listDelegations,
  readDelegation,
  removeDelegation,
} from './apply.ts';
export {
  type Delegation,
  delegationDocument,
  isDelegationName,
  parseDelegation,
  TERRAFORM_IDS,
  TERRAFORM_PHASE,
} from './delegation.ts';
export {
  type Access,
  accessesOf,
  DELEGATED_ALGORITHMS,
  delegationPath,
  issuerConfig,
  jwtMount,
  loginRole,
  roleName,
  runPolicies,
  runPolicy,
  SKEW_SECONDS,
  wantedClaims,
} from './resources.ts';
