/** `/oauth2/token` (RFC 6749 §3.2): a token for a code, a user's password, the client itself, or a refresh token. */
import type { Oauth2Credential } from '../../entities/oauth2-credential.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { Reply } from '../kit/reply.ts';
import {
  type Answer,
  failure,
  INVALID_CLIENT,
  INVALID_CODE,
  INVALID_PROVISION_KEY,
  INVALID_REFRESH_TOKEN,
  isFailure,
  MISSING_USER,
  type OauthError,
  uncached,
} from './answers.ts';
import { clientProblem, clientProof } from './client.ts';
import {
  findClient,
  hasProvisionKey,
  issue,
  type Oauth2Config,
  type Oauth2Context,
  serviceOf,
  shown,
  terms,
  transportProblem,
  userOf,
} from './context.ts';
import { type Parameters, parametersOf } from './parameters.ts';
import { requiresPkce, verifierProblem } from './pkce.ts';
import { requestedScope, scopeNames } from './scopes.ts';

const UNAUTHORIZED_CLIENT = failure(
  'unauthorized_client',
  'Public clients may not use the client_credentials grant',
);

interface Asked {
  readonly context: Oauth2Context;
  readonly exchange: Exchange;
  readonly parameters: Parameters;
}

interface Checked {
  readonly problem: OauthError | null;
  /** The client showed itself in a header and is not known: 401. */
  readonly challenge: boolean;
  readonly client: Oauth2Credential | null;
}

export async function issueToken(context: Oauth2Context, exchange: Exchange): Promise<Reply> {
  const parameters = await parametersOf(exchange);
  const state = parameters.get('state');
  const told = (answer: Answer, challenge: boolean): Reply => {
    const body = typeof state === 'string' ? { ...answer, state } : answer;
    if (!isFailure(answer)) return uncached(200, body);
    if (!challenge) return uncached(400, body);
    return uncached(401, body, { 'WWW-Authenticate': 'Basic realm="OAuth2.0"' });
  };
  if (state === null) return told(failure('invalid_request', 'state must not be repeated'), false);
  const transport = transportProblem(exchange, context.config);
  if (transport !== null) return told(transport, false);
  const asked = { context, exchange, parameters };
  const { problem, challenge, client } = await checkClient(asked);
  return told(problem ?? (await grant(asked, client)), problem !== null && challenge);
}

/** All rules are looked at, and the last that is broken is told, as Kong does. */
async function checkClient({ context, exchange, parameters }: Asked): Promise<Checked> {
  const { config } = context;
  const type = parameters.get('grant_type');
  const proof = clientProof(parameters, exchange.request.headers.get(config.auth_header_name));
  const client = findClient(context, proof.id);
  let problem = isOffered(type, config) ? null : failure('unsupported_grant_type', 'Invalid grant_type');
  let challenge = false;
  if (type !== 'client_credentials') {
    const uris = client?.redirect_uris ?? null;
    if (uris === null) {
      problem = INVALID_CLIENT;
      challenge = proof.basic;
    } else {
      problem = redirectProblem(parameters, uris) ?? problem;
    }
  }
  const unproven = client === null ? null : await clientProblem(client, proof.secret, exchange.client.ip);
  if (unproven === INVALID_CLIENT) challenge = proof.basic;
  return { problem: unproven ?? problem, challenge, client };
}

function isOffered(type: string | null | undefined, config: Oauth2Config): boolean {
  if (type === 'client_credentials') return config.enable_client_credentials;
  if (type === 'password') return config.enable_password_grant;
  return type === 'authorization_code' || type === 'refresh_token';
}

function redirectProblem(parameters: Parameters, allowed: readonly string[]): OauthError | null {
  const named = parameters.get('redirect_uri');
  const uri = named === undefined ? allowed[0] : named;
  if (typeof uri === 'string' && allowed.includes(uri)) return null;
  const message =
    'Invalid redirect_uri that does not match with any redirect_uri created with the application';
  return failure('invalid_request', message);
}

async function grant(asked: Asked, client: Oauth2Credential | null): Promise<Answer> {
  if (asked.parameters.get('grant_type') === 'client_credentials') return forClient(asked, client);
  if (client === null) return INVALID_CLIENT;
  switch (asked.parameters.get('grant_type')) {
    case 'authorization_code':
      return forCode(asked, client);
    case 'password':
      return forPassword(asked, client);
    default:
      return forRefreshToken(asked, client);
  }
}

async function forCode({ context, exchange, parameters }: Asked, client: Oauth2Credential): Promise<Answer> {
  const { config, tokens, gateway } = context;
  const given = parameters.get('code');
  const code = typeof given === 'string' ? await tokens.findCode(given) : null;
  const serviceId = serviceOf(context, exchange);
  if (code === null) return INVALID_CODE;
  const { service, credential, plugin, challenge, redirect_uri: redirectUri } = code.value;
  if (serviceId !== null && service?.id !== serviceId) return INVALID_CODE;
  if (credential.id !== client.id) return INVALID_CODE;
  if (challenge !== null || requiresPkce(config.pkce, client)) {
    const problem = verifierProblem(parameters, challenge);
    if (problem !== null) return problem;
  }
  if (config.global_credentials && plugin.id !== gateway.plugin.id) return INVALID_CODE;
  // RFC 6749 §4.1.3. Kong's clients may leave it out here.
  const named = parameters.get('redirect_uri');
  if (named !== undefined && redirectUri !== null && named !== redirectUri) return INVALID_CODE;
  if (!(await tokens.spendCode(code))) return INVALID_CODE;
  const { authenticated_userid: userId, scope } = code.value;
  return issue(context, { serviceId, credential: client, userId, scope }, true);
}

async function forClient(
  { context, exchange, parameters }: Asked,
  client: Oauth2Credential | null,
): Promise<Answer> {
  const user = parameters.get('authenticated_userid');
  // A client alone may not say whom it stands for.
  if (user !== undefined && !hasProvisionKey(context, parameters)) return INVALID_PROVISION_KEY;
  if (client === null) return INVALID_CLIENT;
  // RFC 6749 §4.4: of who has no secret only the name is known, which everybody may know.
  if (client.client_type === 'public') return UNAUTHORIZED_CLIENT;
  const scope = requestedScope(parameters, context.config);
  if (typeof scope === 'object' && scope !== null) return scope;
  const serviceId = serviceOf(context, exchange);
  return issue(context, { serviceId, credential: client, userId: user ?? null, scope }, false);
}

async function forPassword(
  { context, exchange, parameters }: Asked,
  client: Oauth2Credential,
): Promise<Answer> {
  if (!hasProvisionKey(context, parameters)) return INVALID_PROVISION_KEY;
  const userId = userOf(parameters);
  if (userId === null) return MISSING_USER;
  const scope = requestedScope(parameters, context.config);
  if (typeof scope === 'object' && scope !== null) return scope;
  return issue(context, { serviceId: serviceOf(context, exchange), credential: client, userId, scope }, true);
}

async function forRefreshToken(
  { context, exchange, parameters }: Asked,
  client: Oauth2Credential,
): Promise<Answer> {
  const { config, tokens } = context;
  const given = parameters.get('refresh_token');
  const token = typeof given === 'string' ? await tokens.findByRefreshToken(given) : null;
  const asked = serviceOf(context, exchange);
  if (token === null || (asked !== null && token.value.service?.id !== asked)) {
    return INVALID_REFRESH_TOKEN;
  }
  // What was given for one service stays that, also where tokens are global.
  const serviceId = token.value.service?.id ?? null;
  if (serviceId !== null && serviceId !== exchange.service?.id) return INVALID_REFRESH_TOKEN;
  const { credential, scope, authenticated_userid: userId } = token.value;
  if (credential.id !== client.id) return INVALID_CLIENT;
  if (scopeNames(scope ?? '').some((name) => config.scopes?.includes(name) !== true)) {
    return failure('invalid_scope', 'Scope mismatch');
  }
  if (config.reuse_refresh_token) {
    const renewed = await tokens.renew(token, terms(config, true));
    return renewed === null ? INVALID_REFRESH_TOKEN : shown(renewed);
  }
  // First the old one: of two that refresh at once, one gets a token.
  if (!(await tokens.revoke(token))) return INVALID_REFRESH_TOKEN;
  return issue(context, { serviceId, credential: client, userId, scope }, true);
}
