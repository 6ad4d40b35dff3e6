import { Place, type PolicyDefect, PolicyError } from '../defect.ts';
import type { User } from '../facts.ts';
import type { Reader } from './readers.ts';
import { type GivenRequest, request } from './request.ts';
import { claims, user } from './user.ts';

/** @throws PolicyError; `file` names where `value` is from */
export function parseRequest(value: unknown, file: string): GivenRequest {
  return whole(request, value, file);
}

/** A user as suites write one. @throws PolicyError */
export function parseUser(value: unknown, file: string): User {
  return whole(user, value, file);
}

/** A user by the claims of a token. @throws PolicyError */
export function parseClaims(value: unknown, file: string): User {
  return whole(claims, value, file);
}

function whole<T>(reader: Reader<T>, value: unknown, file: string): T {
  const defects: PolicyDefect[] = [];
  const read = reader(value, new Place(defects, file));
  if (defects.length > 0) throw new PolicyError(defects);
  return read;
}
