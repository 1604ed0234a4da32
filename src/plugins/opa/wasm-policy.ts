/**
 * A policy that runs in the worker. It is compiled once for each configuration; its memory is bounded, and an instance
 * that failed is replaced, as nobody knows what is left in its memory.
 *
 * An evaluation is a plain call: while it computes, its worker does nothing else. So the module is rewritten before it is
 * compiled: each turn of each of its loops is counted, and one too many ends the evaluation (lib/quickjs/meter.ts).
 */
import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import { FUEL, meterTrapping } from '../../lib/quickjs/meter.ts';

/** Of the engine; its types come with those of browsers only. */
interface WasmEngine {
  compile(bytes: Uint8Array): Promise<object>;
  readonly Module: { imports(module: object): ReadonlyArray<{ readonly kind: string }> };
}
const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmEngine };

const PAGE = 64 * 1024;
const LARGEST_MODULE = 16 * 1024 * 1024;

interface Loaded {
  readonly wasmInstance: { readonly exports: { readonly [FUEL]: { value: number } } };
  readonly entrypoints: Readonly<Record<string, number>>;
  evaluate(input: unknown, entrypoint?: number | string): unknown;
  setData(data: object): void;
}

export interface PolicyOptions {
  /** Base64, may be in gzip. */
  readonly wasm: string;
  readonly entrypoint: string | null;
  readonly data: unknown;
  /** MiB. */
  readonly memory: number;
  /** Turns of loops that one evaluation may take. */
  readonly steps: number;
}

export interface WasmPolicy {
  /** Undefined: the policy has no result for this. @throws Error */
  evaluate(input: unknown): unknown;
}

/** @throws Error what is wrong with the policy. */
export async function loadWasmPolicy(options: PolicyOptions): Promise<WasmPolicy> {
  const make = await instances(options);
  let policy: Loaded | null = make();
  const entrypoint = entrypointOf(policy, options.entrypoint);
  return {
    evaluate(input) {
      const running = policy ?? make();
      // It is used again only when it has ended well.
      policy = null;
      let results: unknown;
      const fuel = running.wasmInstance.exports[FUEL];
      try {
        fuel.value = options.steps;
        results = running.evaluate(input, entrypoint);
      } catch (error) {
        const why = fuel.value < 0 ? `it takes more than ${options.steps} steps` : reason(error);
        throw new Error(`the policy failed: ${why}`, { cause: error });
      }
      policy = running;
      const [first] = Array.isArray(results) ? (results as ReadonlyArray<{ readonly result?: unknown }>) : [];
      return first?.result;
    },
  };
}

async function instances(options: PolicyOptions): Promise<() => Loaded> {
  const { default: opa } = (await import('@open-policy-agent/opa-wasm')) as unknown as {
    readonly default: {
      loadPolicySync(module: object, memory: { initial: number; maximum: number }): Loaded;
    };
  };
  const bytes = await moduleBytes(options.wasm);
  if (!wasm.Module.imports(await wasm.compile(bytes)).some(({ kind }) => kind === 'memory')) {
    throw new Error('this is no policy that `opa build -t wasm` made: it imports no memory');
  }
  const module = await wasm.compile(metered(bytes));
  const maximum = (options.memory * 1024 * 1024) / PAGE;
  return () => {
    try {
      // Memory that is not touched costs nothing; how much a module wants at least cannot be asked.
      const initial = Math.min(64, maximum);
      const loaded = opa.loadPolicySync(module, { initial, maximum });
      if (options.data !== null && options.data !== undefined) loaded.setData(options.data);
      return loaded;
    } catch (error) {
      throw new Error(`the policy cannot be used: ${reason(error)}`, { cause: error });
    }
  };
}

/** What the engine has taken as a module. */
function metered(bytes: Uint8Array): Uint8Array {
  try {
    return meterTrapping(bytes);
  } catch (error) {
    throw new Error(`the policy cannot be bounded: ${reason(error)}`, { cause: error });
  }
}

async function moduleBytes(text: string): Promise<Uint8Array> {
  const bytes = Buffer.from(text, 'base64');
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return promisify(gunzip)(bytes, { maxOutputLength: LARGEST_MODULE });
}

function entrypointOf({ entrypoints }: Loaded, wanted: string | null): number {
  if (wanted === null) return 0;
  const found = Object.hasOwn(entrypoints, wanted) ? entrypoints[wanted] : undefined;
  if (found === undefined) {
    throw new Error(
      `the policy has no entry point '${wanted}'; it has ${Object.keys(entrypoints).join(', ')}`,
    );
  }
  return found;
}

function reason(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
