/**
 * What the compiler thread does: text in, images or errors out.
 *
 * Everything about a configuration that costs time or memory happens here: reading, parsing, validating, encoding,
 * comparing with what is served, printing.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { applyBundle } from '../plugins/users/bundle.ts';
import { NO_BUNDLE } from '../plugins/users/live.ts';
import { diffImages } from '../snapshot/image-delta.ts';
import { encodeImage } from '../snapshot/image-encode.ts';
import { readImage } from '../snapshot/image.ts';
import { compileDeclarative } from '../store/file/compile.ts';
import { decodeText } from '../store/file/utf8.ts';
import type { CompileFailure, CompileJob, Compiled, CompilerJob, Dumped } from './compile-job.ts';
import { compileFailure } from './compile-failure.ts';
import { configText } from './config-body.ts';
import { configYaml, entitiesJson } from './config-output.ts';
import { hashSecrets } from './hash-secrets.ts';

type Text = { readonly ok: true; readonly text: string; readonly name: string } | CompileFailure;

function failure(status: number, message: string): CompileFailure {
  return { ok: false, status, lines: [message], body: JSON.stringify({ message }) };
}

async function readSource({ source, flattenErrors }: CompileJob): Promise<Text> {
  if (source.kind === 'text') return { ok: true, text: source.text, name: source.name };
  const name = source.kind === 'body' ? 'request body' : source.path;
  let bytes: Buffer<ArrayBuffer>;
  try {
    bytes = source.kind === 'body' ? Buffer.from(source.body) : await readFile(source.path);
  } catch (error) {
    return failure(400, `cannot read the declarative file: ${(error as Error).message}`);
  }
  const { text, error } = decodeText(bytes);
  if (error !== null) return compileFailure([error], name, flattenErrors);
  if (source.kind === 'file') return { ok: true, text, name };
  const found = await configText(bytes, source.contentType);
  return found.ok ? { ...found, name } : failure(400, found.message);
}

async function compile(job: CompileJob): Promise<Compiled | CompileFailure> {
  const source = await readSource(job);
  if (!source.ok) return source;
  const { current, flavor, revision } = job;
  const hash = createHash('md5').update(source.text).digest('hex');
  const { plugins = NO_BUNDLE } = job;
  await applyBundle(plugins);
  const old = current?.generation ?? NO_BUNDLE.generation;
  if (current?.hash === hash && current.flavor === flavor && old === plugins.generation) {
    return answer(job, { image: current.image, delta: null, hash, unchanged: true });
  }
  const now = Math.floor(Date.now() / 1000);
  const result = compileDeclarative(source.text, {
    filename: source.name,
    flavor,
    now,
    withoutDatabase: job.withoutDatabase === true,
  });
  if (!result.ok) return compileFailure(result.errors, source.name, job.flattenErrors);
  const { entities, transform } = result.config;
  const kept = transform ? await hashSecrets(entities, current?.image ?? null) : entities;
  const image = encodeImage(kept, { revision, hash });
  const delta = current?.flavor === flavor ? diffImages(current.image, image) : null;
  return answer(job, { image, delta, hash, unchanged: false });
}

function answer(job: CompileJob, parts: Pick<Compiled, 'image' | 'delta' | 'hash' | 'unchanged'>): Compiled {
  const entities = job.wantEntities ? new TextEncoder().encode(entitiesJson(parts.image)) : null;
  const { generation } = job.plugins ?? NO_BUNDLE;
  return { ok: true, ...parts, generation, entities, records: readImage(parts.image).length };
}

export async function runJob(job: CompilerJob): Promise<Compiled | CompileFailure | Dumped> {
  if (job.type === 'compile') return await compile(job);
  await applyBundle(job.plugins ?? NO_BUNDLE);
  return { ok: true, text: configYaml(job.image) };
}
