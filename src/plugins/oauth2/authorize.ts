/**
 * `/oauth2/authorize`: the application that has asked a user for consent gets the URI that the browser is sent to, with a
 * code or a token for the client (Kong's form of RFC 6749 §4.1.1 and §4.2.1). All rules are looked at, and the last that is
 * broken is told, as Kong does.
 */
import type { Oauth2Credential } from '../../entities/oauth2-credential.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { Reply } from '../kit/reply.ts';
import {
  type Answer,
  failure,
  INVALID_CLIENT,
  INVALID_PROVISION_KEY,
  isFailure,
  MISSING_USER,
  type OauthError,
  uncached,
} from './answers.ts';
import {
  findClient,
  hasProvisionKey,
  issue,
  type Oauth2Context,
  serviceOf,
  transportProblem,
  userOf,
} from './context.ts';
import { type Parameters, parametersOf } from './parameters.ts';
import { readChallenge, requiresPkce } from './pkce.ts';
import { redirectTo } from './redirect.ts';
import { requestedScope } from './scopes.ts';

interface Outcome {
  readonly answer: Answer;
  /** Null: it is not known where to send the browser. */
  readonly redirectUri: string | null;
  readonly implicit: boolean;
}

const only = (answer: Answer): Outcome => ({ answer, redirectUri: null, implicit: false });

export async function authorize(context: Oauth2Context, exchange: Exchange): Promise<Reply> {
  const parameters = await parametersOf(exchange);
  const state = parameters.get('state');
  const outcome =
    state === null
      ? only(failure('invalid_request', 'state must not be repeated'))
      : await decide(context, exchange, parameters);
  const { answer, redirectUri, implicit } = outcome;
  const told = { ...answer, ...(state === null || state === undefined ? {} : { state }) };
  const body =
    redirectUri === null
      ? told
      : { redirect_uri: redirectTo(redirectUri, implicit ? 'fragment' : 'query', told) };
  return uncached(isFailure(answer) ? 400 : 200, body);
}

async function decide(context: Oauth2Context, exchange: Exchange, parameters: Parameters): Promise<Outcome> {
  const { config } = context;
  const transport = transportProblem(exchange, config);
  if (transport !== null) return only(transport);
  if (!hasProvisionKey(context, parameters)) return only(INVALID_PROVISION_KEY);
  const userId = userOf(parameters);
  if (userId === null) return only(MISSING_USER);
  let problem: OauthError | null = null;
  const type = parameters.get('response_type');
  const allowed = type === 'code' ? config.enable_authorization_code : config.enable_implicit_grant;
  if ((type !== 'code' && type !== 'token') || !allowed) {
    problem = failure('unsupported_response_type', 'Invalid response_type');
  }
  const scope = requestedScope(parameters, config);
  if (typeof scope === 'object' && scope !== null) problem = scope;
  const client = findClient(context, parameters.get('client_id'));
  if (client === null || client.redirect_uris === null) return only(INVALID_CLIENT);
  const [redirectUri, mismatch] = chooseRedirect(parameters, client.redirect_uris);
  const challenge = readChallenge(parameters);
  problem = challengeProblem(context, client, challenge) ?? mismatch ?? problem;
  if (problem !== null) return { answer: problem, redirectUri, implicit: false };
  const grant = {
    serviceId: serviceOf(context, exchange),
    credential: client,
    userId,
    scope: scope as string | null,
  };
  if (type === 'token') {
    return { answer: await issue(context, grant, false), redirectUri, implicit: true };
  }
  const code = await context.tokens.issueCode({
    ...grant,
    pluginId: context.gateway.plugin.id,
    challenge: 'challenge' in challenge ? challenge.challenge : null,
    redirectUri: parameters.get('redirect_uri') ?? null,
  });
  return { answer: code === null ? INVALID_CLIENT : { code }, redirectUri, implicit: false };
}

/** The URI, to which an error goes as well: the first one if the one that was named is not the client's. */
function chooseRedirect(
  parameters: Parameters,
  allowed: readonly string[],
): [uri: string | null, problem: OauthError | null] {
  const first = allowed[0] ?? null;
  const named = parameters.get('redirect_uri');
  const uri = named === undefined ? first : named;
  if (uri !== null && allowed.includes(uri)) return [uri, null];
  const message =
    'Invalid redirect_uri that does not match with any redirect_uri created with the application';
  return [first, failure('invalid_request', message)];
}

function challengeProblem(
  { config }: Oauth2Context,
  client: Oauth2Credential,
  challenge: ReturnType<typeof readChallenge>,
): OauthError | null {
  if ('wrong' in challenge) return failure('invalid_request', challenge.wrong);
  if (challenge.challenge !== null || !requiresPkce(config.pkce, client)) return null;
  return failure('invalid_request', `code_challenge is required for ${client.client_type} clients`);
}
