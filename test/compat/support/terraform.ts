/**
 * A stand-in for the Terraform provider `kevholditch/kong`, which cannot be installed where these tests run. It makes
 * the requests that the provider makes by its public sources (over go-kong): create is POST on the collection, update
 * is PATCH by id with the id in the body, read is GET by id (404: gone), delete is DELETE by id. A target is created
 * below its upstream, read by reading the upstream and the first page of its targets, and never updated. Fields that are
 * not set are left out, but a route always says its service.
 */
import assert from 'node:assert/strict';

export type Values = Readonly<Record<string, unknown>>;

export class Terraform {
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  async #ask(method: string, path: string, body?: Values): Promise<{ status: number; body: Values | null }> {
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { 'content-type': 'application/json' };
    }
    const response = await fetch(this.#origin + path, init);
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as Values) };
  }

  async create(kind: string, values: Values): Promise<string> {
    const { status, body } = await this.#ask('POST', `/${kind}`, values);
    assert.equal(status, 201, JSON.stringify(body));
    return String(body?.['id']);
  }

  /** Null: it is gone, and will be made anew. */
  async read(kind: string, id: string): Promise<Values | null> {
    const { status, body } = await this.#ask('GET', `/${kind}/${id}`);
    if (status === 404) return null;
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  async update(kind: string, id: string, values: Values): Promise<void> {
    const { status, body } = await this.#ask('PATCH', `/${kind}/${id}`, { id, ...values });
    assert.equal(status, 200, JSON.stringify(body));
  }

  async remove(kind: string, id: string): Promise<void> {
    const { status, body } = await this.#ask('DELETE', `/${kind}/${id}`);
    assert.equal(status, 204, JSON.stringify(body));
  }

  async readTarget(upstream: string, id: string): Promise<Values | null> {
    if ((await this.read('upstreams', upstream)) === null) return null;
    const { status, body } = await this.#ask('GET', `/upstreams/${upstream}/targets`);
    assert.equal(status, 200, JSON.stringify(body));
    const data = (body?.['data'] ?? []) as readonly Values[];
    return data.find((target) => target['id'] === id) ?? null;
  }

  /** What an apply that is refused shows to its user. */
  async refusal(kind: string, values: Values): Promise<{ status: number; message: unknown }> {
    const { status, body } = await this.#ask('POST', `/${kind}`, values);
    return { status, message: body?.['message'] };
  }
}
