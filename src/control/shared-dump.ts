/** Dumps of the configuration, which cost a thread's time each: those of one image that are asked for at once share one. */
import type { CompileFailure, Dumped } from './compile-job.ts';
import type { PluginBundle } from '../plugins/users/live.ts';
import type { Compiler } from './compiler.ts';

type Answer = Promise<Dumped | CompileFailure>;

export class SharedDump {
  readonly #compiler: Compiler;
  #working: { readonly image: SharedArrayBuffer | null; readonly answer: Answer } | null = null;

  constructor(compiler: Compiler) {
    this.#compiler = compiler;
  }

  dump(image: SharedArrayBuffer | null, plugins: PluginBundle): Answer {
    if (this.#working?.image === image) return this.#working.answer;
    const answer = this.#compiler.dump(image, plugins).finally(() => {
      if (this.#working?.answer === answer) this.#working = null;
    });
    this.#working = { image, answer };
    return answer;
  }
}
