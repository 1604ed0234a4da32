/** `sluice version [-a]`. */
import { readFileSync } from 'node:fs';
import { EXIT_OK, type Command } from '../command.ts';

/** The release line of Kong whose configuration and behaviour are followed. */
const KONG_LINE = '3.9';

export const command: Command = {
  help: `Usage: sluice version [OPTIONS]

Prints the version.

Options:
  -a, --all             also the versions of what it runs on
  -h, --help            this text`,
  options: { all: { type: 'boolean', short: 'a' } },
  positionals: [0, 0],
  run({ terminal, options }) {
    terminal.out(`sluice ${packageVersion()}`);
    if (options['all'] === true) {
      terminal.out(`compatible with kong ${KONG_LINE}`);
      terminal.out(`node ${process.versions.node}`);
      terminal.out(`v8 ${process.versions.v8}`);
      terminal.out(`openssl ${process.versions.openssl}`);
      terminal.out(`platform ${process.platform} ${process.arch}`);
    }
    return Promise.resolve(EXIT_OK);
  },
};

/** From package.json, which is three folders up in `src` and in `dist` alike. */
function packageVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
