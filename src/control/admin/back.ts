/** What the applications of the admin and the status listeners share. */
import type { Settings } from '../../settings/settings.ts';
import { Authenticator } from '../access/authenticator.ts';
import { FileTokens } from '../access/file-tokens.ts';
import { grantsFile } from '../access/grants-format.ts';
import { FailureThrottle } from '../access/throttle.ts';
import type { Gateway } from '../gateway.ts';

/** Answers who tells who asks. */
export function openBack(gateway: Gateway, settings: Settings): Authenticator {
  const { log, tokens } = gateway;
  const store = tokens ?? new FileTokens(grantsFile(settings.prefix));
  return new Authenticator({ store, throttle: new FailureThrottle(), log: log.admin.error });
}
