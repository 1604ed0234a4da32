/** What each field of credentials and tokens is for. */
import type { Texts } from './describe.ts';

const consumer = 'The consumer that the credential belongs to.';

export const CREDENTIALS: Texts = {
  acls: { consumer: 'The consumer that is in the group.', group: 'The name of the group.' },
  basicauth_credentials: {
    consumer,
    username: 'The unique user name.',
    password: 'The password; it is stored and answered as a hash.',
  },
  hmacauth_credentials: {
    consumer,
    username: 'The unique user name.',
    secret: 'The secret that requests are signed with; generated unless given.',
  },
  mtls_auth_credentials: {
    consumer,
    subject_name: "One of the certificate's names: an alternative name, or the common name.",
    ca_certificate:
      'The authority that must be on the way from the certificate to one that is trusted; any unless said.',
  },
  jwt_secrets: {
    consumer,
    key: 'What tokens name as their issuer; generated unless given.',
    secret: 'The secret of HMAC algorithms; generated unless given.',
    rsa_public_key: 'The public key of the other algorithms as PEM.',
    algorithm: 'The algorithm of the signatures.',
  },
  keyauth_credentials: {
    consumer,
    key: 'The API key; generated unless given.',
    ttl: 'Seconds after which the credential is gone; null keeps it.',
  },
  oauth2_credentials: {
    consumer,
    name: 'The name of the application.',
    client_id: 'The id of the client; generated unless given.',
    client_secret: 'The secret of the client; generated unless given.',
    hash_secret: 'Whether the secret is stored as a hash.',
    redirect_uris: 'The addresses to which a user may be sent after authorization.',
    client_type: 'Whether the client can keep a secret (`confidential`) or not (`public`).',
  },
  oauth2_tokens: {
    service: 'The service that the token is limited to.',
    credential: 'The client that the token was given to.',
    token_type: 'The type of the token.',
    expires_in: 'Seconds for which the access token is valid; 0 has no end.',
    access_token: 'The access token; generated unless given.',
    refresh_token: 'The token that a new access token is got with.',
    authenticated_userid: 'The user that the client acts for.',
    scope: 'The scopes of the token, separated by spaces.',
    ttl: 'Seconds after which the token is gone; null keeps it.',
  },
};
