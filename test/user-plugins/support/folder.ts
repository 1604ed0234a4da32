/** A folder of users' plugins, and a gateway that has it. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { tempDir } from '../../support/temp-dir.ts';

export class PluginFolder implements AsyncDisposable {
  readonly path: string;
  readonly #folder: AsyncDisposable;

  constructor(folder: AsyncDisposable & { readonly path: string }) {
    this.path = join(folder.path, 'plugins');
    this.#folder = folder;
  }

  async write(file: string, text: string): Promise<void> {
    const path = join(this.path, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }

  async remove(file: string): Promise<void> {
    await rm(join(this.path, file), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

export async function pluginFolder(files: Readonly<Record<string, string>>): Promise<PluginFolder> {
  const folder = new PluginFolder(await tempDir());
  await mkdir(folder.path);
  for (const [file, text] of Object.entries(files)) await folder.write(file, text);
  return folder;
}

/** Plugins by the path of their route; each has a route of its own to `upstream`. */
export function configWith(
  upstream: number,
  routes: Readonly<Record<string, ReadonlyArray<{ readonly name: string; readonly config?: object }>>>,
): Record<string, unknown> {
  return {
    _format_version: '3.0',
    services: [
      {
        name: 'up',
        url: `http://127.0.0.1:${upstream}`,
        routes: Object.entries(routes).map(([path, plugins]) => ({
          name: `r-${path.slice(1) || 'root'}`,
          paths: [path],
          strip_path: false,
          plugins,
        })),
      },
    ],
  };
}

export function gatewayWith(
  folder: PluginFolder,
  config: Record<string, unknown>,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<Gateway> {
  return startGateway({ config, settings: { plugins_dir: folder.path, ...settings } });
}

/** A plugin that sets a response header. */
export function headerPlugin(name: string, text: string, more = ''): string {
  return `import { definePlugin } from 'sluice/plugin';
${more}
export default definePlugin({
  name: '${name}',
  priority: 10,
  version: '1.2.3',
  config: { prefix: { type: 'string', required: true, default: '-' } },
  create(config: { prefix: string }) {
    return {
      headerFilter(exchange) {
        exchange.response.headers.set('x-${name}', config.prefix + ${text});
      },
    };
  },
});
`;
}

/** What an Admin or Status API answers. */
export async function getJson<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}
