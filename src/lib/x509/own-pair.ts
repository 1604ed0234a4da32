/**
 * A certificate of our own for a listener that nobody has given one: it signs itself and is kept in `PREFIX/ssl`, as Kong
 * keeps its. Made at the first start, and again when it has ended.
 */
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../make-folder.ts';
import { type SelfSigned, selfSigned } from './self-signed.ts';

/** Not imported: see decision 15; an import reads every export, which costs a worker 0.4 MiB. */

const DAY_MS = 86_400_000;
/** It is trusted by name or not at all, so its end is far away, as Kong's. */
const LIFE_MS = 20 * 365 * DAY_MS;

/** @param name of the files, without their ends. @throws Error of the system. */
export function ownPair(prefix: string, name: string): SelfSigned {
  const certFile = join(prefix, 'ssl', `${name}.crt`);
  const keyFile = join(prefix, 'ssl', `${name}.key`);
  const kept = keptPair(certFile, keyFile);
  if (kept !== null) return kept;
  const now = Date.now();
  const pair = selfSigned({
    names: [...new Set(['localhost', hostname().toLowerCase(), '127.0.0.1', '::1'])],
    from: new Date(now - DAY_MS),
    until: new Date(now + LIFE_MS),
  });
  makeFolder(join(prefix, 'ssl'));
  write(keyFile, pair.key, 0o600);
  write(certFile, pair.cert, 0o644);
  return pair;
}

/** Null: there is none that still serves. */
function keptPair(certFile: string, keyFile: string): SelfSigned | null {
  if (!existsSync(certFile) || !existsSync(keyFile)) return null;
  const pair = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  try {
    process.getBuiltinModule('node:tls').createSecureContext(pair);
    return new X509Certificate(pair.cert).validToDate.getTime() > Date.now() ? pair : null;
  } catch {
    // Half written by a process that was killed.
    return null;
  }
}

function write(path: string, text: string, mode: number): void {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, text, { mode });
  chmodSync(next, mode);
  renameSync(next, path);
}
