/** Applies the rules of source-rules.ts to every tracked or new file and prints violations as `file:line: message`. */
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  checkBarrels,
  checkCycles,
  checkLayers,
  checkPackages,
  checkPlaces,
  checkSeeds,
  checkUnusedExports,
  type Violation,
} from './source-rules.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
/** Bytes; a larger file is data. */
const LARGEST = 4 << 20;

/** What git would commit; without git (a source archive) what is there. */
function listFiles(): string[] {
  try {
    const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
    const output = execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return output.split('\0').filter((name) => name !== '');
  } catch {
    return globSync('**/*', { cwd: ROOT, exclude: ['node_modules', 'dist', '.cache', '.git'] });
  }
}

function readFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of listFiles()) {
    const path = `${ROOT}/${name}`;
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() === true && stat.size < LARGEST) files.set(name, readFileSync(path, 'utf8'));
  }
  return files;
}

const files = readFiles();
const violations: Violation[] = [
  ...checkLayers(files),
  ...checkPackages(files),
  ...checkCycles(files),
  ...checkBarrels(files),
  ...checkUnusedExports(files),
  ...checkSeeds(files),
  ...checkPlaces(files, ROOT),
];
for (const { file, line, message } of violations) process.stdout.write(`  ${file}:${line}: ${message}\n`);
process.exitCode = violations.length === 0 ? 0 : 1;
