import assert from 'node:assert/strict';
import { constants as node } from 'node:http2';
import { test } from 'node:test';
import { constants } from './codes.ts';

test("the numbers are node:http2's", () => {
  for (const [name, number] of Object.entries(constants)) {
    assert.equal((node as unknown as Record<string, unknown>)[name], number, name);
  }
});
