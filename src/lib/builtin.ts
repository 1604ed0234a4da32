/**
 * Node's own modules without their lazy parts.
 *
 * An `import` of `node:crypto` or `node:http` reads every export, and with them come WebCrypto, undici and HTTP/2: some
 * five megabytes in each thread that wanted one function. `getBuiltinModule` answers the module and reads nothing.
 */
export const crypto = process.getBuiltinModule('node:crypto');
