/** Gateways with OAuth 2.0 tokens, which are records, and with keys for secrets that change. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadSealKeys } from '../../../src/store/seal-keys.ts';
import { type CliResult, sluice } from '../../support/gateway.ts';
import { callAdmin } from './call.ts';
import type { StandInGateway } from './gateway.ts';

export const OLD = Buffer.alloc(32, 1).toString('base64');
export const NEW = Buffer.alloc(32, 2).toString('base64');

export function idOf(key: string): string {
  return loadSealKeys({ secret_key_file: null, secret_keys: [key] })[0]?.id ?? '';
}

export function command(gateway: StandInGateway, verb: 'rotate' | 'status'): Promise<CliResult> {
  return sluice(['secrets', verb, '-c', gateway.settingsFile]);
}

interface Asked {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function ask(
  gateway: StandInGateway,
  method: string,
  path: string,
  body?: unknown,
): Promise<Asked> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json' };
  const { status, text } = await callAdmin(gateway.url('admin', path), { method, headers, ...sent });
  return { status, body: text === '' ? {} : (JSON.parse(text) as Asked['body']) };
}

export async function setKeys(gateway: StandInGateway, ...keys: readonly string[]): Promise<void> {
  const file = join(gateway.prefix, '..', 'keys');
  await writeFile(file, `${keys.join('\n')}\n`, { mode: 0o600 });
  await gateway.writeSettings({ secret_key_file: file });
}

export async function restartWith(gateway: StandInGateway, ...keys: readonly string[]): Promise<void> {
  await setKeys(gateway, ...keys);
  await gateway.restart();
}

export const TOKENS = 25;

export async function makeToken(gateway: StandInGateway, name: string): Promise<void> {
  const token = { expires_in: 1, access_token: name, refresh_token: `${name}-r` };
  const made = await ask(gateway, 'POST', '/oauth2/app/oauth2_tokens', token);
  assert.equal(made.status, 201, JSON.stringify(made.body));
}

export async function fill(gateway: StandInGateway): Promise<void> {
  await ask(gateway, 'POST', '/consumers', { username: 'bob' });
  await ask(gateway, 'POST', '/consumers/bob/oauth2', { name: 'a', client_id: 'app' });
  for (let n = 0; n < TOKENS; n++) await makeToken(gateway, `t${n}`);
}

export async function allThere(gateway: StandInGateway, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { body } = await ask(gateway, 'GET', `/oauth2_tokens/${name}`);
    assert.equal(body['refresh_token'], `${name}-r`, name);
    const again = { expires_in: 1, access_token: name };
    assert.equal((await ask(gateway, 'POST', '/oauth2/app/oauth2_tokens', again)).status, 409, name);
  }
}

export const NAMES = Array.from({ length: TOKENS }, (_, n) => `t${n}`);
