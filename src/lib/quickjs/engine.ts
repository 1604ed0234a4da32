/**
 * QuickJS, compiled to WebAssembly, one instance with a memory of its own for each sandbox: what happens in one cannot be
 * seen in another, and one that has broken is thrown away whole.
 *
 * The package is loaded when the first sandbox is made, and all is synchronous, so that a configuration can be checked where
 * it is validated. Its functions are called directly: the package's own layer above them makes an object for each value
 * that crosses.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  Instance,
  Memory,
  Module,
  type WasmGlobal,
  type WasmImports,
  type WasmInstance,
  type WasmMemory,
} from './wasm.ts';
import { FUEL, meter, type MeteredModule } from './meter.ts';

/** A number that means an address of the instance's memory. */
export type Pointer = number;

/** The functions of `quickjs-emscripten`'s interface that are used (its `interface.c`). */
export interface EngineFunctions {
  _malloc(bytes: number): Pointer;
  _free(at: Pointer): void;
  _QTS_NewRuntime(): Pointer;
  _QTS_RuntimeSetMaxStackSize(runtime: Pointer, bytes: number): void;
  _QTS_NewContext(runtime: Pointer, intrinsics: number): Pointer;
  _QTS_GetUndefined(): Pointer;
  _QTS_GetNull(): Pointer;
  _QTS_GetTrue(): Pointer;
  _QTS_GetFalse(): Pointer;
  _QTS_NewFloat64(context: Pointer, value: number): Pointer;
  _QTS_GetFloat64(context: Pointer, value: Pointer): number;
  _QTS_NewString(context: Pointer, text: Pointer): Pointer;
  _QTS_GetString(context: Pointer, value: Pointer): Pointer;
  _QTS_FreeCString(context: Pointer, text: Pointer): void;
  _QTS_NewObject(context: Pointer): Pointer;
  _QTS_NewError(context: Pointer): Pointer;
  _QTS_Throw(context: Pointer, error: Pointer): Pointer;
  _QTS_GetProp(context: Pointer, object: Pointer, name: Pointer): Pointer;
  _QTS_SetProp(context: Pointer, object: Pointer, name: Pointer, value: Pointer): void;
  _QTS_NewFunction(
    context: Pointer,
    name: Pointer,
    parameters: number,
    isConstructor: number,
    id: number,
  ): Pointer;
  _QTS_ArgvGetJSValueConstPointer(values: Pointer, index: number): Pointer;
  _QTS_DupValuePointer(context: Pointer, value: Pointer): Pointer;
  _QTS_FreeValuePointer(context: Pointer, value: Pointer): void;
  _QTS_Call(context: Pointer, fn: Pointer, self: Pointer, count: number, values: Pointer): Pointer;
  _QTS_Eval(
    context: Pointer,
    code: Pointer,
    length: number,
    file: Pointer,
    detectModule: number,
    flags: number,
  ): Pointer;
  _QTS_ResolveException(context: Pointer, value: Pointer): Pointer;
  _QTS_IsJobPending(runtime: Pointer): number;
  _QTS_ExecutePendingJob(runtime: Pointer, most: number, context: Pointer): Pointer;
}

export type CallHost = (values: Pointer, count: number, id: number) => Pointer;

export interface Engine {
  readonly functions: EngineFunctions;
  readonly memory: WasmMemory;
  /** Turns of loops until the host is asked whether to go on. */
  readonly fuel: WasmGlobal;
}

export interface EngineHost {
  readonly callHost: CallHost;
  /** Throws when the instance is to stop: it is broken then. */
  readonly outOfFuel: () => void;
}

const PAGE = 65_536;
/** The module declares 16 MiB, of which the system gives what is touched. */
export const FIRST_BYTES = 256 * PAGE;

type CallFunction = [unknown, Pointer, Pointer, count: number, values: Pointer, id: number];
type Factory = (options: Record<string, unknown>) => Promise<unknown>;

interface Loaded extends Pick<MeteredModule, 'hook'> {
  readonly module: object;
  readonly factory: Factory;
}

let loaded: Loaded | null = null;

function load(): Loaded {
  if (loaded !== null) return loaded;
  const require = createRequire(import.meta.url);
  const { bytes, hook } = meter(readFileSync(require.resolve('@jitl/quickjs-wasmfile-release-sync/wasm')));
  const factory = require('@jitl/quickjs-wasmfile-release-sync/emscripten-module') as Factory;
  return (loaded = { module: new Module(bytes), hook, factory });
}

/**
 * @param maxBytes of its whole memory. QuickJS has a limit of its own, which in this build counts blocks and not their sizes.
 * @throws RangeError when the machine has none left.
 */
export function newEngine(maxBytes: number, host: EngineHost): Engine {
  const { module, hook, factory } = load();
  const memory = new Memory({ initial: FIRST_BYTES / PAGE, maximum: Math.ceil(maxBytes / PAGE) });
  let instance: WasmInstance | null = null;
  const options: Record<string, unknown> = {
    wasmMemory: memory,
    thisProgram: 'snippet',
    print: ignore,
    printErr: ignore,
    callbacks: {
      // The package's first three are the promise it may wait for, the context and `this`.
      callFunction: (...[, , , count, values, id]: CallFunction) => host.callHost(values, count, id),
      shouldInterrupt: () => 0,
      freeHostRef: ignore,
    },
    instantiateWasm(imports: WasmImports, receive: (made: WasmInstance, from: object) => void) {
      meterCalls(imports, hook, host, () => instance);
      instance = new Instance(module, imports);
      receive(instance, module);
      return instance.exports;
    },
  };
  // Its promise says that it is initialized, which for C without constructors it is as soon as it is there.
  factory(options).catch(ignore);
  const exports = (instance as WasmInstance | null)?.exports;
  if (exports === undefined) throw new Error('the engine of snippets does not load synchronously');
  return {
    functions: options as unknown as EngineFunctions,
    memory,
    fuel: exports[FUEL] as WasmGlobal,
  };
}

function ignore(): void {
  // Nothing that a snippet makes the engine say goes anywhere.
}

/** The hook is an import with a meaning of its own: only without fuel is it ours. */
function meterCalls(
  imports: WasmImports,
  hook: MeteredModule['hook'],
  host: EngineHost,
  instance: () => WasmInstance | null,
): void {
  const names = imports[hook.module];
  const original = names?.[hook.name];
  if (names === undefined || original === undefined) throw new Error('the engine of snippets has no hook');
  names[hook.name] = () => {
    const fuel = instance()?.exports[FUEL] as WasmGlobal | undefined;
    if (fuel !== undefined && fuel.value < 0) host.outOfFuel();
    else original();
  };
}
