/** A real nginx as upstream or as the one to compare with. It needs no privileges: everything is in a temporary folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait.ts';

export interface Nginx extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The master process; its workers are its children. */
  readonly pid: number;
  /** Its folder: conf, logs, and `html` for files to serve. */
  readonly folder: string;
}

export interface NginxOptions {
  /** Directives of the `http` block; `%PORT%` is the port to listen on and `%DIR%` the folder. */
  readonly http: string;
  /** Directives of the main context, such as `worker_processes 2;`. */
  readonly main?: string;
  readonly port?: number;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly workerConnections?: number;
  /** A command that runs nginx as its arguments, such as `taskset -c 0`. */
  readonly wrapper?: readonly string[];
}

function configuration(options: NginxOptions, folder: string, port: number): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/temp_${name};`)
    .join('\n');
  // Started by root, nginx would give its workers another user, who may not enter the folder.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const text = `${user}daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/logs/error.log warn;
${options.main ?? 'worker_processes 1;'}
events { worker_connections ${options.workerConnections ?? 4096}; }
http {
${temp}
${options.http}
}
`;
  return text.replaceAll('%PORT%', String(port)).replaceAll('%DIR%', folder);
}

async function accepts(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

/** Starts nginx and waits until it answers. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const port = options.port ?? (await freePort());
  const directory = await tempDir();
  const folder = directory.path;
  await mkdir(join(folder, 'logs'));
  await mkdir(join(folder, 'html'));
  for (const [name, content] of Object.entries(options.files ?? {})) {
    await writeFile(join(folder, 'html', name), content);
  }
  const conf = join(folder, 'nginx.conf');
  await writeFile(conf, configuration(options, folder, port));
  const nginxCommand = ['nginx', '-p', folder, '-c', conf, '-e', `${folder}/logs/error.log`];
  const [command = 'nginx', ...args] = [...(options.wrapper ?? []), ...nginxCommand];
  const child = new Child(command, args);
  const nginx: Nginx = {
    port,
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    folder,
    async [Symbol.asyncDispose]() {
      await child.stop('SIGTERM');
      await directory[Symbol.asyncDispose]();
    },
  };
  const ready = (): Promise<boolean> => {
    if (child.exit !== null) throw new Error('nginx ended');
    return accepts(port);
  };
  try {
    await waitFor(ready, { what: 'nginx' });
  } catch (error) {
    const log = await readFile(join(folder, 'logs', 'error.log'), 'utf8').catch(() => '');
    await nginx[Symbol.asyncDispose]();
    throw new Error(`nginx did not start: ${child.output}${log}`, { cause: error });
  }
  return nginx;
}
