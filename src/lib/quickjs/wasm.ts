/** WebAssembly's interface as far as it is used: TypeScript has it among the types of browsers only. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export interface WasmGlobal {
  value: number;
}

export type WasmImports = Record<string, Record<string, (...values: unknown[]) => unknown>>;

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface WasmInterface {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: WasmImports) => WasmInstance;
  /** Pages of 64 KiB. */
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => WasmMemory;
}

export const { Module, Instance, Memory } = (globalThis as unknown as { readonly WebAssembly: WasmInterface })
  .WebAssembly;
