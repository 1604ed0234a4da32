/** key-auth-enc: key-auth, and a word in the log where keys are not encrypted at rest. */
import keyAuthPlugin from '../key-auth/plugin.ts';
import { definePlugin } from '../kit/define.ts';
import { keyAuthEnc } from './schema.ts';

export default definePlugin({
  ...keyAuthEnc,
  create(config, gateway) {
    if (!gateway.node.sealsSecrets) {
      gateway.log.warn(
        'keys are not encrypted at rest: that needs a database, and secret_key_file or secret_keys; see docs/guide/admin-access.md',
      );
    }
    return keyAuthPlugin.create(config, gateway);
  },
});
