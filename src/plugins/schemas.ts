/**
 * The plugins that Sluice has. A plugin is a folder beside this file and its line in this list: `NAME/schema.ts` describes
 * its configuration and belongs to the entities' layer, `NAME/plugin.ts` has its filters and is loaded when a configuration
 * uses it.
 */
import type { PluginDescription } from '../entities/plugin-description.ts';
import { acl } from './acl/schema.ts';
import { balancing } from './balancing/schema.ts';
import { basicAuth } from './basic-auth/schema.ts';
import { botDetection } from './bot-detection/schema.ts';
import { canary } from './canary/schema.ts';
import { circuitBreaker } from './circuit-breaker/schema.ts';
import { cors } from './cors/schema.ts';
import { forwardAuth } from './forward-auth/schema.ts';
import { headerCertAuth } from './header-cert-auth/schema.ts';
import { hedging } from './hedging/schema.ts';
import { hmacAuth } from './hmac-auth/schema.ts';
import { ipRestriction } from './ip-restriction/schema.ts';
import { jwt } from './jwt/schema.ts';
import { jwtSigner } from './jwt-signer/schema.ts';
import { keyAuth } from './key-auth/schema.ts';
import { keyAuthEnc } from './key-auth-enc/schema.ts';
import { ldapAuth } from './ldap-auth/schema.ts';
import { mtlsAuth } from './mtls-auth/schema.ts';
import { oauth2 } from './oauth2/schema.ts';
import { oauth2Introspection } from './oauth2-introspection/schema.ts';
import { opa } from './opa/schema.ts';
import { openidConnect } from './openid-connect/schema.ts';
import { postFunction } from './post-function/schema.ts';
import { preFunction } from './pre-function/schema.ts';
import { retry } from './retry/schema.ts';
import { session } from './session/schema.ts';
import { stickySession } from './sticky-session/schema.ts';
import { trafficMirror } from './traffic-mirror/schema.ts';
import { trafficSplit } from './traffic-split/schema.ts';
import { upstreamLimits } from './upstream-limits/schema.ts';

export const SCHEMAS: readonly PluginDescription[] = [
  acl,
  balancing,
  basicAuth,
  botDetection,
  canary,
  circuitBreaker,
  cors,
  forwardAuth,
  headerCertAuth,
  hedging,
  hmacAuth,
  ipRestriction,
  jwt,
  jwtSigner,
  keyAuth,
  keyAuthEnc,
  ldapAuth,
  mtlsAuth,
  oauth2,
  oauth2Introspection,
  opa,
  openidConnect,
  postFunction,
  preFunction,
  retry,
  session,
  stickySession,
  trafficMirror,
  trafficSplit,
  upstreamLimits,
];
