/**
 * Kong Manager's requests, from the public sources of its open front end: it runs in a browser on an origin of its own
 * (`admin_gui_url`), asks `GET /` once for what it shows, lists by `size` and `offset`, finds by exact name or id, reads
 * schemas for its forms, creates by POST, changes by PATCH (a plugin by PUT), deletes by DELETE. Its own server gives it
 * `kconfig.js`; the Admin API has no part in that.
 */
import { anything, type Case, compare, having, page } from './support/cases.ts';

const GUI = 'http://manager.test:8002';
const headers = { origin: GUI };
const answered = {
  'access-control-allow-origin': GUI,
  'access-control-allow-credentials': 'true',
};
const ask = (text: string, status: number, body?: unknown, json?: unknown): Case => ({
  ask: text,
  headers,
  answered,
  status,
  ...(body === undefined ? {} : { body }),
  ...(json === undefined ? {} : { json }),
});

const preflights: readonly Case[] = ['/', '/services', '/services/x', '/schemas/services/validate'].map(
  (path) => ({
    ask: `OPTIONS ${path}`,
    headers: {
      ...headers,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'content-type',
    },
    status: 204,
    answered: {
      ...answered,
      'access-control-allow-headers': /content-type/i,
      'access-control-allow-methods': /GET|POST/,
    },
  }),
);

const overview: readonly Case[] = [
  ask(
    'GET /',
    200,
    having({
      version: /^3\.9\./,
      edition: 'community',
      hostname: anything,
      plugins: { available_on_server: anything, enabled_in_cluster: anything },
      configuration: having({
        role: 'traditional',
        database: 'sqlite',
        admin_listen: anything,
        proxy_listeners: anything,
        router_flavor: anything,
      }),
    }),
  ),
];

const entities: readonly Case[] = [
  ask('GET /services?sort_desc=1&size=30', 200, page()),
  ask('GET /schemas/services', 200, having({ fields: anything })),
  ask('POST /schemas/services/validate', 200, anything, { host: 'h' }),
  {
    ...ask('POST /services', 201, having({ name: 's' }), {
      name: 's',
      protocol: 'http',
      host: 'h',
      port: 80,
      path: null,
      tags: [],
      client_certificate: null,
      ca_certificates: null,
      tls_verify: null,
      retries: 5,
    }),
    keep: 's',
  },
  ask('GET /services/s', 200, having({ id: '{s}' })),
  ask('GET /services/nobody', 404),
  ask('PATCH /services/{s}', 200, having({ retries: 4 }), { name: 's', host: 'h', retries: 4 }),
  ask('POST /services/{s}/routes', 201, anything, {
    name: 'r',
    paths: ['/r'],
    methods: null,
    hosts: null,
    headers: null,
    protocols: ['http'],
  }),
  ask('GET /services/{s}/routes?sort_desc=1&size=30', 200, page(having({ name: 'r' }))),
  ask('GET /consumers?size=30', 200, page()),
  ask('GET /upstreams?size=30', 200, page()),
  ask('GET /certificates?size=30', 200, page()),
  ask('GET /ca_certificates?size=30', 200, page()),
  ask('GET /snis?size=30', 200, page()),
  ask('GET /vaults?size=30', 200, page()),
  ask('GET /keys?size=30', 200, page()),
  ask('GET /key-sets?size=30', 200, page()),
  ask('GET /plugins?size=30', 200, page()),
  ask('GET /schemas/vaults/env', 200, having({ fields: anything })),
  ask('DELETE /routes/r', 204),
  ask('DELETE /services/{s}', 204),
];

compare({ preflights, overview, entities }, { settings: { database: 'sqlite', admin_gui_url: GUI } });
