import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkBarrels,
  checkCycles,
  checkLayers,
  checkPackages,
  checkPlaces,
  checkSeeds,
  checkUnusedExports,
  type Files,
  type Violation,
} from './source-rules.ts';

type Rule = (files: Files) => Violation[];

const CASES: readonly { name: string; rule: Rule; files: Record<string, string>; want: readonly string[] }[] =
  [
    {
      name: 'downward imports are fine',
      rule: checkLayers,
      files: {
        'src/proxy/a.ts': `import { b } from '../wire/b.ts';\nimport type { S } from '../snapshot/s.ts';\n`,
        'src/snapshot/s.ts': `import { c } from '../store/file/c.ts';\n`,
        'src/main.ts': `import { x } from './cli/x.ts';\n`,
        'src/router/a.test.ts': `import { x } from '../../test/support/x.ts';\n`,
      },
      want: [],
    },
    {
      name: 'upward, sideways and forbidden imports',
      rule: checkLayers,
      files: {
        'src/lib/a.ts': `\nimport type { B } from '../zone/b.ts';\n`,
        'src/router/a.ts': `import {\n  x,\n  y,\n} from '../wire/http1/b.ts';\n`,
        'src/proxy/a.ts': `import { s } from '../store/s.ts';\nconst c = await import('../control/c.ts');\n`,
        'src/wire/a.ts': `export { x } from '../../test/x.ts';\nimport '../wire/a.test.ts';\n`,
        'src/odd/a.ts': `import { x } from '../lib/x.ts';\n`,
      },
      want: [
        'src/lib/a.ts:2',
        'src/router/a.ts:1',
        'src/proxy/a.ts:1',
        'src/proxy/a.ts:2',
        'src/wire/a.ts:1',
        'src/wire/a.ts:2',
        'src/odd/a.ts:1',
      ],
    },
    {
      name: 'only packages that ship',
      rule: checkPackages,
      files: {
        'package.json': '{"dependencies":{"zod":"1","@a/b":"1"}}',
        'src/a.ts': `import { z } from 'zod';\nimport { b } from '@a/b/c';\nimport 'node:fs';\nimport { f } from 'fast-check';\n`,
        'src/a.test.ts': `import fc from 'fast-check';\n`,
      },
      want: ['src/a.ts:4'],
    },
    {
      name: 'cycles between files, each once, not of types alone',
      rule: checkCycles,
      files: {
        'src/lib/a.ts': `import { b } from './b.ts';\n`,
        'src/lib/b.ts': `import { c } from './c.ts';\n`,
        'src/lib/c.ts': `\nimport { type A, a } from './a.ts';\n`,
        'src/lib/t.ts': `import type { A } from './u.ts';\n`,
        'src/lib/u.ts': `import { t } from './t.ts';\n`,
        'src/lib/d.ts': `import { a } from './a.ts';\n`,
      },
      want: ['src/lib/c.ts:2'],
    },
    {
      name: 'barrels',
      rule: checkBarrels,
      files: {
        'src/lib/index.ts': `/** All. */\nexport { a } from './a.ts';\nexport * from './b.ts';\n`,
        'src/lib/round.ts': `import { a } from './a.ts';\nexport { a };\n`,
        'src/lib/some.ts': `export { a } from './a.ts';\nexport const own = 1;\n`,
        'src/lib/side.ts': `import './a.ts';\n`,
      },
      want: ['src/lib/index.ts:1', 'src/lib/round.ts:1'],
    },
    {
      name: 'exports without a reader',
      rule: checkUnusedExports,
      files: {
        'src/lib/a.ts': `export const used = 1;\nexport function unused() {}\nexport interface Shape {}\nexport class ByTest {}\n`,
        'src/lib/b.ts': `import { used as other } from './a.ts';\n`,
        'src/lib/a.test.ts': `import { type ByTest } from './a.ts';\n`,
        'src/lib/all.ts': `export const x = 1;\n`,
        'bench/b.ts': `import * as all from '../src/lib/all.ts';\nexport const own = 1;\n`,
      },
      want: ['src/lib/a.ts:2'],
    },
    {
      name: 'property tests with a seed of their own',
      rule: checkSeeds,
      files: {
        'src/a.test.ts': `import test from 'node:test';\nimport * as fc from 'fast-check';\n`,
        'src/b.test.ts': `import * as fc from 'fast-check';\nimport '../test/support/fixed-seed.ts';\n`,
        'test/support/fixed-seed.ts': `import * as fc from 'fast-check';\n`,
      },
      want: ['src/a.test.ts:2'],
    },
    {
      name: 'places',
      rule: (files) => checkPlaces(files, '/some/where.d'),
      files: {
        'docs/a.md': 'ok\nsee /some/where.d/file\n/some/whereXd\n/some/where.d-other\n',
        'package-lock.json': '{\n"resolved": "https://registry.example/a-1.tgz"\n}',
        '.npmrc': 'registry=http://registry.example/\n',
      },
      want: ['docs/a.md:2', 'package-lock.json:2', '.npmrc:1'],
    },
  ];

for (const { name, rule, files, want } of CASES) {
  test(`source rule: ${name}`, () => {
    const seen = rule(new Map(Object.entries(files))).map(({ file, line }) => `${file}:${line}`);
    assert.deepEqual(seen, want);
  });
}
