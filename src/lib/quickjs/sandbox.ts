/**
 * A place where foreign JavaScript runs that can reach nothing of the host: a QuickJS of its own behind WebAssembly, into
 * which the host puts functions that take texts and numbers and give one. Whatever crosses is copied.
 *
 * Bounds: memory (the script sees "out of memory"), stack (it sees "stack overflow"), and time, which ends the sandbox: one
 * that was stopped in the middle, or that failed in any way of its own, is `broken`, and its owner makes another.
 */
import { type Engine, FIRST_BYTES, newEngine, type Pointer } from './engine.ts';
import { type Plain, Texts } from './texts.ts';

export interface SandboxLimits {
  /** Octets of the whole instance: 16 MiB at least, of which 6 are the engine's own. */
  readonly memoryBytes: number;
  readonly stackBytes: number;
  /** Milliseconds of one call. */
  readonly callMs: number;
}

/** @throws Error, whose message the script gets. */
export type HostFunction = (...texts: string[]) => Plain;

/** A function in the sandbox. */
export type Script = Pointer & { readonly script?: never };

/** The script was stopped, or its engine failed. */
export class SandboxBroken extends Error {
  override readonly name = 'SandboxBroken';
}

/** What the script threw, as text. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
}

/** Turns of loops between two looks at the clock: well below a millisecond of them. */
const FUEL = 100_000;
const FIRST_FUEL = 2 ** 31 - 1;
/** A machine that is busy elsewhere stops the clock's meaning: what is over time gets so much of the processor still. */
const GRACE_US = 50_000;
const JOBS_AT_ONCE = 100;
const COMPILE_ONLY = 32;
/** `JS_CFUNC_generic`: no constructor. */
const NOT_A_CONSTRUCTOR = 0;

export class Sandbox {
  readonly #engine: Engine;
  readonly #runtime: Pointer;
  readonly #context: Pointer;
  readonly #texts: Texts;
  readonly #limits: SandboxLimits;
  readonly #host: HostFunction[] = [];
  readonly #undefined: Pointer;
  #deadline = Infinity;
  /** Microseconds of the thread's processor time by which it must end; null: the deadline has not passed yet. */
  #graceEnd: number | null = null;
  #broken = false;

  constructor(limits: SandboxLimits) {
    this.#limits = limits;
    this.#engine = newEngine(limits.memoryBytes, {
      callHost: (values, count, id) => this.#callHost(values, count, id),
      outOfFuel: () => this.#refuel(),
    });
    const { functions, fuel } = this.#engine;
    fuel.value = FIRST_FUEL;
    this.#runtime = functions._QTS_NewRuntime();
    functions._QTS_RuntimeSetMaxStackSize(this.#runtime, limits.stackBytes);
    this.#context = functions._QTS_NewContext(this.#runtime, 0);
    this.#texts = new Texts(this.#engine, this.#context);
    this.#undefined = functions._QTS_GetUndefined();
  }

  /** Nothing can be done with it any more. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Whether the text is a script; nothing of it runs. @throws ScriptError, SandboxBroken */
  compile(source: string, file: string): void {
    this.#guarded(() => this.#free(this.#eval(source, file, COMPILE_ONLY)));
  }

  /**
   * Runs a script whose value is a function, and calls that with the host's functions.
   *
   * @returns the functions that it answers, in the order of their names. @throws ScriptError, SandboxBroken
   */
  install(
    source: string,
    file: string,
    host: Readonly<Record<string, HostFunction>>,
    names: readonly string[],
  ): Script[] {
    return this.#guarded(() => {
      const table = this.#engine.functions._QTS_NewObject(this.#context);
      for (const [name, fn] of Object.entries(host)) this.#setFunction(table, name, fn);
      const made = this.#call(this.#eval(source, file, 0), [table]);
      return names.map((name) => this.#checked(this.#property(made, name)) as Script);
    });
  }

  /** Calls one of the installed functions with a text and the value of a script. @throws ScriptError, SandboxBroken */
  pass(fn: Script, text: string, source: string, file: string): void {
    this.#guarded(() => this.#free(this.#call(fn, [this.#texts.make(text), this.#eval(source, file, 0)])));
  }

  /** Calls one of the installed functions, and then what it left to be done later. @throws ScriptError, SandboxBroken */
  call(fn: Script, text?: string): string | undefined {
    return this.#guarded(() => {
      const result = this.#call(fn, text === undefined ? NOTHING : [this.#texts.make(text)]);
      const plain = this.#texts.isUndefined(result) ? undefined : this.#texts.text(result);
      this.#free(result);
      if (this.#engine.functions._QTS_IsJobPending(this.#runtime) !== 0) this.#runJobs();
      return plain;
    });
  }

  #guarded<T>(work: () => T): T {
    if (this.#broken) throw new SandboxBroken('it has been stopped');
    this.#deadline = performance.now() + this.#limits.callMs;
    this.#graceEnd = null;
    this.#engine.fuel.value = FUEL;
    try {
      return work();
    } catch (error) {
      if (error instanceof ScriptError) {
        // What fills it may be in use for ever.
        this.#broken = this.#engine.memory.buffer.byteLength > FIRST_BYTES;
        throw error;
      }
      // It was left in the middle of its work, whatever the reason: its memory is not to be relied on.
      this.#broken = true;
      if (error instanceof SandboxBroken) throw error;
      throw new SandboxBroken(`the engine failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #refuel(): void {
    const { fuel } = this.#engine;
    fuel.value = FUEL;
    if (performance.now() < this.#deadline) return;
    const { user, system } = process.threadCpuUsage();
    this.#graceEnd ??= user + system + GRACE_US;
    if (user + system >= this.#graceEnd) throw new SandboxBroken(`more than ${this.#limits.callMs} ms`);
  }

  #eval(source: string, file: string, flags: number): Pointer {
    const { functions } = this.#engine;
    const name = this.#texts.name(file);
    return this.#checked(
      this.#texts.lend(source, (at, length) =>
        functions._QTS_Eval(this.#context, at, length, name, 0, flags),
      ),
    );
  }

  #call(fn: Pointer, values: readonly Pointer[]): Pointer {
    const { functions } = this.#engine;
    const argv = this.#texts.row(values);
    const result = functions._QTS_Call(this.#context, fn, this.#undefined, values.length, argv);
    for (const value of values) this.#free(value);
    return this.#checked(result);
  }

  /** @throws ScriptError what the script threw, if it did. */
  #checked(value: Pointer): Pointer {
    const error = this.#engine.functions._QTS_ResolveException(this.#context, value);
    if (error === 0) return value;
    const message = this.#texts.message(error);
    this.#free(error);
    this.#free(value);
    throw new ScriptError(message);
  }

  #runJobs(): void {
    const { functions } = this.#engine;
    const context = this.#texts.row([0]);
    while (functions._QTS_IsJobPending(this.#runtime) !== 0) {
      const ran = functions._QTS_ExecutePendingJob(this.#runtime, JOBS_AT_ONCE, context);
      this.#checked(ran);
      this.#free(ran);
      this.#refuel();
    }
  }

  #setFunction(table: Pointer, name: string, fn: HostFunction): void {
    const { functions } = this.#engine;
    const id = this.#host.push(fn) - 1;
    const text = this.#texts.name(name);
    const value = functions._QTS_NewFunction(this.#context, text, fn.length, NOT_A_CONSTRUCTOR, id + 1);
    const key = this.#texts.make(name);
    functions._QTS_SetProp(this.#context, table, key, value);
    this.#free(key);
    this.#free(value);
  }

  /** A script calls a function of the host. What that throws becomes an error of the script. */
  #callHost(values: Pointer, count: number, id: number): Pointer {
    const texts: string[] = [];
    const { functions } = this.#engine;
    try {
      for (let index = 0; index < count; index++) {
        texts.push(this.#texts.text(functions._QTS_ArgvGetJSValueConstPointer(values, index)));
      }
      return this.#texts.make(this.#host[id - 1]?.(...texts));
    } catch (error) {
      if (error instanceof SandboxBroken) throw error;
      const message = error instanceof Error ? error.message : 'a function of the gateway failed';
      const thrown = this.#texts.error(message);
      const result = functions._QTS_Throw(this.#context, thrown);
      this.#free(thrown);
      return result;
    }
  }

  #property(object: Pointer, name: string): Pointer {
    const key = this.#texts.make(name);
    const value = this.#engine.functions._QTS_GetProp(this.#context, object, key);
    this.#free(key);
    return value;
  }

  #free(value: Pointer): void {
    this.#engine.functions._QTS_FreeValuePointer(this.#context, value);
  }
}

const NOTHING: readonly Pointer[] = [];
