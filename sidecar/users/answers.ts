import type { FaultCode } from '../../lib/token/index.ts';
import { type HeaderFields, Refused } from '../relay/index.ts';

export type AnswerCode =
  | Exclude<FaultCode, 'key_unknown'>
  | 'user_required'
  | 'user_forbidden'
  | 'token_malformed'
  | 'issuer_unavailable'
  | 'users_busy'
  | 'users_unavailable';

/** RFC 6750 §3: nobody who sent no token is told of an error of it. */
const NO_TOKEN = challenge();
const RETRY: HeaderFields = [['retry-after', '2']];

/** What is answered, by code. Made once; none of it depends on the token. */
export const ANSWERS: Readonly<Record<AnswerCode, Refused>> = {
  user_required: answer(401, 'user_required', 'this needs an end user: send an access token', NO_TOKEN),
  user_forbidden: answer(403, 'user_forbidden', 'this takes no end user: send no access token'),
  token_malformed: answer(
    400,
    'token_malformed',
    'send one access token, once, as Authorization: Bearer and the token',
    challenge('invalid_request', 'one token, once, in the Authorization header'),
  ),
  token_invalid: invalidToken('token_invalid', 'the access token is not valid here'),
  token_expired: invalidToken('token_expired', 'the access token has expired'),
  token_early: invalidToken('token_early', 'the access token is not valid yet'),
  token_audience: invalidToken('token_audience', 'the access token is for another service'),
  token_party: invalidToken('token_party', 'the access token was issued for another client'),
  issuer_unknown: invalidToken('issuer_unknown', 'the access token is of an issuer that is not known here'),
  issuer_unavailable: answer(
    503,
    'issuer_unavailable',
    'the issuer of the access token cannot be reached at the moment',
    RETRY,
  ),
  users_busy: answer(503, 'users_busy', 'too many access tokens are being looked at', RETRY),
  users_unavailable: answer(503, 'users_unavailable', 'end users cannot be told at the moment', RETRY),
};

function invalidToken(code: AnswerCode, detail: string): Refused {
  return answer(401, code, detail, challenge('invalid_token', detail));
}

function challenge(error?: string, description?: string): HeaderFields {
  const why = error === undefined ? '' : `, error="${error}", error_description="${description}"`;
  return [['www-authenticate', `Bearer realm="signet"${why}`]];
}

function answer(status: number, code: AnswerCode, detail: string, fields: HeaderFields = []): Refused {
  return new Refused({ status, code, detail }, false, fields);
}
