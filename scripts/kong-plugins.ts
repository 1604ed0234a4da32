/** Every plugin of Kong's, for `docs/plugins.md`: which edition has it, and when Sluice will where it does not yet. */

export interface KongPlugin {
  readonly name: string;
  readonly edition: 'free' | 'paid' | 'ours';
  /** What becomes of it here, unless it works. */
  readonly plan: string;
}

const TRAFFIC = 'next: traffic plugins';
const OBSERVE = 'with observability';
const AI = 'with the AI gateway';
const MANAGE = 'with API management';
const LATER = 'later';

function all(edition: KongPlugin['edition'], plan: string, names: string): KongPlugin[] {
  return names.split(/\s+/).map((name) => ({ name, edition, plan }));
}

export const KONG_PLUGINS: readonly KongPlugin[] = [
  ...all(
    'free',
    'planned',
    'acl basic-auth bot-detection cors hmac-auth ip-restriction jwt key-auth ldap-auth oauth2',
  ),
  ...all('free', 'planned', 'post-function pre-function session'),
  ...all('free', TRAFFIC, 'correlation-id grpc-gateway grpc-web proxy-cache rate-limiting redirect'),
  ...all(
    'free',
    TRAFFIC,
    'request-size-limiting request-termination request-transformer response-ratelimiting',
  ),
  ...all('free', TRAFFIC, 'response-transformer standard-webhooks'),
  ...all(
    'free',
    OBSERVE,
    'datadog file-log http-log loggly opentelemetry prometheus statsd syslog tcp-log udp-log',
  ),
  ...all('free', OBSERVE, 'zipkin'),
  ...all('free', LATER, 'acme aws-lambda azure-functions'),
  ...all(
    'free',
    AI,
    'ai-prompt-decorator ai-prompt-guard ai-prompt-template ai-proxy ai-request-transformer',
  ),
  ...all('free', AI, 'ai-response-transformer'),
  ...all(
    'paid',
    'planned',
    'canary header-cert-auth jwt-signer key-auth-enc mtls-auth oauth2-introspection opa openid-connect',
  ),
  ...all(
    'paid',
    LATER,
    'jwe-decrypt ldap-auth-advanced saml upstream-oauth vault-auth tls-handshake-modifier',
  ),
  ...all(
    'paid',
    LATER,
    'tls-metadata-headers confluent confluent-consume kafka-consume kafka-log kafka-upstream',
  ),
  ...all(
    'paid',
    TRAFFIC,
    'exit-transformer forward-proxy injection-protection jq json-threat-protection mocking',
  ),
  ...all('paid', TRAFFIC, 'oas-validation proxy-cache-advanced rate-limiting-advanced request-callout'),
  ...all(
    'paid',
    TRAFFIC,
    'request-transformer-advanced request-validator response-transformer-advanced route-by-header',
  ),
  ...all(
    'paid',
    TRAFFIC,
    'route-transformer-advanced service-protection upstream-timeout websocket-size-limit',
  ),
  ...all('paid', TRAFFIC, 'websocket-validator xml-threat-protection'),
  ...all('paid', LATER, 'degraphql graphql-proxy-cache-advanced graphql-rate-limiting-advanced'),
  ...all('paid', OBSERVE, 'app-dynamics'),
  ...all('paid', MANAGE, 'application-registration konnect-application-auth'),
  ...all(
    'paid',
    AI,
    'ai-azure-content-safety ai-proxy-advanced ai-rag-injector ai-rate-limiting-advanced ai-sanitizer',
  ),
  ...all('paid', AI, 'ai-semantic-cache ai-semantic-prompt-guard'),
];
