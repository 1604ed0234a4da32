/** Dumps of the configuration, which cost a thread each: those of one image that are asked for at once share one. */
import type { CompileFailure, Dumped } from './compile-job.ts';
import { dump } from './compiler.ts';

type Answer = Promise<Dumped | CompileFailure>;

export class SharedDump {
  #working: { readonly image: SharedArrayBuffer | null; readonly answer: Answer } | null = null;

  dump(image: SharedArrayBuffer | null): Answer {
    if (this.#working?.image === image) return this.#working.answer;
    const answer = dump(image).finally(() => {
      if (this.#working?.answer === answer) this.#working = null;
    });
    this.#working = { image, answer };
    return answer;
  }
}
