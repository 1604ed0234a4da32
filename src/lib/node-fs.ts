/**
 * What the threads of a gateway use of `node:fs`. An `import` of that loads its promises and with them the editor of
 * terminal lines, half a MiB in each thread (docs/adr/0015-lazy-builtins.md).
 */
export const {
  accessSync,
  chmodSync,
  close,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFile,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  stat,
  statSync,
  write,
  writeFileSync,
  writeSync,
} = process.getBuiltinModule('node:fs');
