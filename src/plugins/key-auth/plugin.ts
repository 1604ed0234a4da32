/** key-auth: who shows a key that somebody has is that somebody. */
import { authentication, type Attempt } from '../identity.ts';
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import { refuse } from '../kit/reply.ts';
import { keyAuth } from './schema.ts';

export default definePlugin({
  ...keyAuth,
  create(config, gateway) {
    const { entities } = gateway;
    const challenge = config.realm === null ? 'Key' : `Key realm="${config.realm}"`;
    const unauthorized = (message: string): Attempt =>
      refuse(401, message, { 'WWW-Authenticate': challenge });

    function keysOf(exchange: Exchange, name: string): readonly string[] {
      const { request } = exchange;
      if (config.key_in_header && request.headers.has(name)) return request.headers.all(name);
      if (config.key_in_query) return request.args.get(name) ?? [];
      return [];
    }

    function attempt(exchange: Exchange): Attempt {
      for (const name of config.key_names) {
        const keys = keysOf(exchange, name);
        if (keys.length > 1) return unauthorized('Duplicate API key found');
        const [key] = keys;
        if (key === undefined || key === '') continue;
        const credential = entities.find('keyauth_credentials', 'key', key);
        if (credential === null) return unauthorized('Unauthorized');
        if (config.hide_credentials) exchange.upstreamRequest.headers.remove(name);
        const consumer = entities.get('consumers', credential.consumer.id);
        return {
          consumer,
          credential: { id: credential.id, consumerId: credential.consumer.id },
          identifier: credential.id,
        };
      }
      return unauthorized('No API key found in request');
    }
    return { access: authentication(gateway, config, attempt) };
  },
});
