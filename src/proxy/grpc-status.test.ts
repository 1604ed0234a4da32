import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGrpcContentType } from './grpc-status.ts';

test('content types of gRPC', () => {
  for (const [type, expected] of [
    [undefined, false],
    ['', false],
    ['application/json', false],
    ['application/grp', false],
    ['application/grpc', true],
    ['Application/GRPC', true],
    ['application/grpc+proto', true],
    ['application/grpc; charset=x', true],
    ['text/plain, application/grpc', false],
  ] as const) {
    assert.equal(isGrpcContentType(type), expected, String(type));
  }
});
