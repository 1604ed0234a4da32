/** mtls-auth: who has the key of a certificate that a trusted authority has issued is the consumer of its name. */
import { hash } from 'node:crypto';
import { authentication, type Attempt } from '../identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { ClientTls, Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { attemptOf, cleared } from './identify.ts';
import { CertificateJudge, type Verdict } from './judge.ts';
import { mtlsAuth } from './schema.ts';

const NONE = 'No required TLS certificate was sent';

export default definePlugin({
  ...mtlsAuth,
  create(config, gateway) {
    const judge = new CertificateJudge({
      authority: (id) => gateway.caCertificate(id),
      ids: config.ca_certificates,
      allowPartial: config.allow_partial_chain,
      ttlMs: config.cache_ttl * 1000,
    });
    /** Of each connection: what stands for its certificates. */
    const keys = new WeakMap<ClientTls, string>();

    function verdictOf(tls: ClientTls): Verdict | null {
      let key = keys.get(tls);
      if (key === undefined) {
        const chain = tls.clientChain();
        key = chain.length === 0 ? '' : hash('sha256', Buffer.concat([...chain]), 'base64');
        keys.set(tls, key);
      }
      return key === '' ? null : judge.judge(key, () => tls.clientChain());
    }

    function attempt(exchange: Exchange): Attempt {
      const { tls } = exchange.client;
      const verdict = tls === null ? null : verdictOf(tls);
      return verdict === null ? refuse(401, NONE) : attemptOf(exchange, gateway, config, verdict);
    }
    return {
      access: cleared(config, authentication(gateway, config, attempt)),
      clientCertificates: { authorities: config.send_ca_dn ? config.ca_certificates : [] },
    };
  },
});
