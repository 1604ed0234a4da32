/** How many errors of a plugin are told: one that throws in a loop must not fill the log, nor keep the main thread busy. */
import { monotonicMs } from '../../lib/monotonic.ts';

const WINDOW_MS = 1000;
const PER_WINDOW = 5;
/** Plugins that are told apart; there are not more in a folder. */
const MAX_PLUGINS = 1000;

export class FaultGate {
  readonly #told = new Map<string, { since: number; count: number }>();

  /** Whether one more of this plugin is told now. */
  admit(plugin: string): boolean {
    const now = monotonicMs();
    let told = this.#told.get(plugin);
    if (told === undefined || now - told.since >= WINDOW_MS) {
      if (this.#told.size >= MAX_PLUGINS) this.#told.clear();
      this.#told.set(plugin, (told = { since: now, count: 0 }));
    }
    return told.count++ < PER_WINDOW;
  }
}
