/**
 * `npm test`: checks, then unit and property tests, then end-to-end tests. Every step runs whatever became of those
 * before it; the last line counts checks and tests together, and the exit code says whether anything failed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runFiles, type FileResult, type Tally } from './test-files.ts';

/**
 * Milliseconds for one test file. A bound against hanging: most take seconds, some two minutes where everything is slow.
 */
const FILE_TIMEOUT = 300_000;

/** Commands that end-to-end tests run, with their Debian packages. */
const SERVERS = [
  'nginx',
  'haproxy',
  '/usr/lib/nginx/modules/ngx_stream_module.so=libnginx-mod-stream',
  'wrk',
  'postgres=postgresql',
  'pgbouncer',
  'openssl',
  'setpriv=util-linux',
  'curl',
  'h2load=nghttp2-client',
  'nghttpd=nghttp2-server',
  'slapd',
  'ldapadd=ldap-utils',
  'redis-server',
  'dnsmasq=dnsmasq-base',
];

const USAGE = `Usage: npm test                 every check and every test
       npm test -- TEXT ...      only test files whose path contains one of the texts, and no checks
`;

interface Step {
  readonly name: string;
  run(): Promise<Tally>;
}

/** A step that is one command: passed when it exits with 0. */
function check(name: string, command: string, ...args: string[]): Step {
  return {
    name,
    async run() {
      // Some tools colour their output wherever it goes.
      const env = process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' };
      const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
      try {
        await once(child, 'exit');
      } catch (error) {
        process.stdout.write(`  ${command} could not be started: ${String(error)}\n`);
      }
      return child.exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
    },
  };
}

function printFile(result: FileResult): void {
  const mark = result.failed === 0 ? 'ok    ' : 'FAILED';
  const count = `${result.passed + result.failed} tests`.padStart(10);
  process.stdout.write(
    `  ${mark}${count} ${result.seconds.toFixed(1).padStart(6)} s  ${result.file}\n${result.report}`,
  );
}

/** Installs what is missing of the commands where it may, and says what to do where it may not. */
function haveServers(names: readonly string[]): boolean {
  return spawnSync('sh', ['scripts/servers', ...names], { stdio: 'inherit' }).status === 0;
}

/** A step that runs the test files of some folders, with servers that they need. Finding none is a failure. */
function tests(
  name: string,
  patterns: readonly string[],
  wanted: readonly string[],
  servers: readonly string[],
): Step {
  const files = globSync([...patterns], { exclude: ['**/node_modules/**'] })
    .filter((file) => wanted.length === 0 || wanted.some((text) => file.includes(text)))
    .toSorted();
  return {
    name,
    async run() {
      if (files.length === 0 && wanted.length > 0) return { passed: 0, failed: 0 };
      if (files.length === 0) {
        process.stdout.write('  there are no test files\n');
        return { passed: 0, failed: 1 };
      }
      if (!haveServers(servers)) return { passed: 0, failed: 1 };
      const concurrency = Math.min(4, availableParallelism());
      return runFiles(files, { timeout: FILE_TIMEOUT, concurrency, onFile: printFile });
    },
  };
}

function steps(wanted: readonly string[]): Step[] {
  const suites = [
    tests(
      'unit and property tests',
      ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
      wanted,
      [],
    ),
    tests('end-to-end tests', ['test/**/*.test.ts'], wanted, SERVERS),
  ];
  if (wanted.length > 0) return suites;
  return [
    check('type check', 'tsc', '-p', '.'),
    check('lint', 'oxlint', '--type-aware', '--deny-warnings', '--quiet'),
    check('format check', 'oxfmt', '--check'),
    check('source rules', process.execPath, 'scripts/check-source.ts'),
    ...suites,
  ];
}

async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => arg.startsWith('-'))) {
    process.stderr.write(USAGE);
    return args.includes('--help') || args.includes('-h') ? 0 : 2;
  }
  const total = { passed: 0, failed: 0, unsteady: 0 };
  const failedSteps: string[] = [];
  for (const step of steps(args)) {
    process.stdout.write(`\n== ${step.name}\n`);
    const begun = performance.now();
    const tally = await step.run();
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.unsteady += tally.unsteady ?? 0;
    if (tally.failed > 0) failedSteps.push(step.name);
    const verdict = tally.failed === 0 ? 'ok' : 'FAILED';
    process.stdout.write(`   ${verdict}, ${((performance.now() - begun) / 1000).toFixed(1)} s\n`);
  }
  if (total.passed + total.failed === 0) {
    process.stdout.write('\nNo test ran.\n');
    total.failed = 1;
  }
  if (failedSteps.length > 0) process.stdout.write(`\nFailed steps: ${failedSteps.join(', ')}\n`);
  const unsteady = total.unsteady === 0 ? '' : `, ${total.unsteady} files only when they ran again`;
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${unsteady}\n`);
  return total.failed === 0 ? 0 : 1;
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
process.exitCode = await main(process.argv.slice(2));
