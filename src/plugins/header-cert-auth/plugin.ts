/** header-cert-auth: mtls-auth for certificates that a proxy in front has asked for and writes to a header. */
import { hash } from 'node:crypto';
import { authentication, type Attempt } from '../common/identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { cleared, FAILED } from '../mtls-auth/identify.ts';
import { ChainVerifier } from '../mtls-auth/verifier.ts';
import { readCertificateHeader } from './read-header.ts';
import { headerCertAuth } from './schema.ts';

const NONE = 'No required TLS certificate header was sent';

export default definePlugin({
  ...headerCertAuth,
  create(config, gateway) {
    const verifier = new ChainVerifier(config, gateway);
    const { certificate_header_name: header, certificate_header_format: format } = config;

    function attempt(exchange: Exchange): Attempt | Promise<Attempt> {
      const [value = '', ...more] = exchange.request.headers.all(header);
      if (value === '') return refuse(401, NONE);
      if (config.secure_source && !exchange.client.trusted) {
        gateway.log.info(`${header} of ${exchange.client.socketIp}, which is not one of trusted_ips`);
        return refuse(401, FAILED);
      }
      // A proxy in front writes one; another line is somebody else's.
      if (more.length > 0) return refuse(401, FAILED);
      const key = hash('sha256', value, 'base64');
      return verifier.attempt(exchange, key, () => readCertificateHeader(value, format));
    }
    return { access: cleared(config, authentication(gateway, config, attempt)) };
  },
});
