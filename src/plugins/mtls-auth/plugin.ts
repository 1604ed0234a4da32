/** mtls-auth: who has the key of a certificate that a trusted authority has issued is the consumer of its name. */
import { hash } from 'node:crypto';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { ClientTls, Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { cleared } from './identify.ts';
import { mtlsAuth } from './schema.ts';
import { ChainVerifier } from './verifier.ts';

const NONE = 'No required TLS certificate was sent';

export default definePlugin({
  ...mtlsAuth,
  create(config, gateway) {
    const verifier = new ChainVerifier(config, gateway);
    /** Of each connection: what stands for its certificates. */
    const keys = new WeakMap<ClientTls, string>();

    function keyOf(tls: ClientTls): string {
      let key = keys.get(tls);
      if (key === undefined) {
        const chain = tls.clientChain();
        key = chain.length === 0 ? '' : hash('sha256', Buffer.concat([...chain]), 'base64');
        keys.set(tls, key);
      }
      return key;
    }

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      const { tls } = exchange.client;
      const key = tls === null ? '' : keyOf(tls);
      if (tls === null || key === '') return refuse(401, NONE);
      return verifier.attempt(exchange, key, () => tls.clientChain());
    }
    return {
      access: cleared(config, authentication(gateway, config, attempt)),
      clientCertificates: { authorities: config.send_ca_dn ? config.ca_certificates : [] },
    };
  },
});
