/** The finish phase: the log filters of plugins, and one line in the access log. */
import { CELL } from '../zone/worker-zone.ts';
import type { Exchange } from './exchange.ts';
import { runLogs } from './plugins/response-filters.ts';

export function finishExchange(exchange: Exchange): void {
  const { accessLog, zone } = exchange.context;
  zone.add(CELL.bytesOut, exchange.bytesSent);
  if (exchange.plugins !== null) runLogs(exchange, exchange.plugins);
  if (accessLog === null) return;
  const { request } = exchange;
  const { headers } = request;
  accessLog.write({
    remoteAddr: exchange.clientIp,
    remoteUser: basicUser(headers.get('authorization')),
    method: request.method,
    target: request.rawTarget,
    version: request.version,
    status: exchange.status,
    bytesSent: exchange.bytesSent,
    referer: headers.get('referer') ?? '',
    userAgent: headers.get('user-agent') ?? '',
    requestId: exchange.id,
  });
}

/** nginx's $remote_user: the name in Basic credentials (RFC 7617). */
function basicUser(authorization: string | undefined): string {
  if (authorization === undefined || !/^basic /i.test(authorization)) return '';
  const credentials = Buffer.from(authorization.slice(6).trim(), 'base64').toString('latin1');
  const colon = credentials.indexOf(':');
  return colon < 0 ? '' : credentials.slice(0, colon);
}
