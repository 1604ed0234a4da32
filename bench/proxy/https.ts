/** The main scenario over TLS: HTTP/1.1 keep-alive, one record for a request and one for its answer. */
import { makeCertificate } from '../../test/support/certificate.ts';
import { nginx } from '../contenders/nginx.ts';
import { sluice } from '../contenders/sluice.ts';
import { report } from '../support/compare.ts';
import type { Scenario } from '../support/scenario.ts';
import { withContenders } from '../support/with-contenders.ts';

const LOAD = {
  method: 'GET',
  path: '/api/v1/orders/4711?expand=items',
  bodySize: 0,
  connections: 64,
} as const;

export const https: Scenario = {
  name: 'https',
  summary: 'the same over TLS, on connections that are kept',
  run: async (context) => {
    const tls = makeCertificate(context.folder);
    return report(
      'Small JSON answer over TLS',
      await withContenders(context, [nginx, sluice], { ...LOAD, tls }),
    );
  },
};
