export { checkWrapping, type Grant, GrantError, type GrantErrorCode, parseGrant } from './grant.ts';
export {
  brokerId,
  documentPath,
  entryPath,
  type Folder,
  MOUNTS,
  policyId,
  tenantFromName,
  tenantInName,
  tokenRoleName,
  workloadPolicy,
} from './names.ts';
export { aliasOf, type GrantRequest, grantRequest } from './request.ts';
export { type TokenRole, tokenRole } from './token-role.ts';
