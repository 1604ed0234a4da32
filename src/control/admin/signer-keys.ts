/**
 * `/jwt-signer/jwks`: the public halves of the key sets that jwt-signer signs with, for whoever verifies what it has signed.
 * Nothing of a private key is in the answer. Keys behind vault references are not: only workers resolve those.
 */
import type { Key } from '../../entities/key.ts';
import { publicKeySet } from '../../plugins/jwt-signer/signing-key.ts';
import type { ConfigStore } from '../../store/config-store.ts';
import type { Gateway } from '../gateway.ts';
import { type Methods, json } from './resource.ts';

const AS_IT_STANDS = (text: string): string => text;

export function signerKeys(gateway: Gateway): Methods {
  return {
    GET: (context) => {
      const { store } = gateway;
      if (store === null) return json(503, { message: 'the configuration is not open yet' });
      const set = store.get('key_sets', { key: context.req.param('name') ?? '' });
      if (set === null) return json(404, { message: 'Not found' });
      return json(200, publicKeySet(keysOf(store, String(set['id'])), AS_IT_STANDS));
    },
  };
}

/** As many as an issuer's set may have elsewhere (`jwks-source.ts`). */
const MAX_KEYS = 100;

function keysOf(store: ConfigStore, id: string): readonly Key[] {
  return store.page('keys', { size: MAX_KEYS, within: { field: 'set', id } })
    .entities as unknown as readonly Key[];
}
