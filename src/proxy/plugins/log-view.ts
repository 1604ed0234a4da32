/** Fields that plugins put into the log entry (`kong.log.set_serialize_value`). */
import type { LogFields } from '../../plugins/kit/exchange.ts';

/** Fields of one exchange. */
const MOST = 100;

export class LogView implements LogFields {
  readonly fields = new Map<string, unknown>();

  set(path: string, value: unknown): void {
    if (this.fields.size >= MOST && !this.fields.has(path)) {
      throw new RangeError(`a log entry takes at most ${MOST} fields of plugins`);
    }
    this.fields.set(path, value);
  }
}
