/** opa (Kong Enterprise's), with policies in the gateway itself as Sluice's own addition. */
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';

/** 4 MiB in base64. */
const LONGEST_POLICY = 5_600_000;

function checkPolicy(text: string): string | null {
  if (text.startsWith('{vault://')) return null;
  if (text.length > LONGEST_POLICY) return 'must not be longer than 4 MiB';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return 'must be base64';
  const head = Buffer.from(text.slice(0, 8), 'base64').toString('latin1');
  return head.startsWith('\0asm') || head.startsWith('\x1f\x8b')
    ? null
    : 'must be a WASM module, or one in gzip';
}

function include(description: string) {
  return { type: 'boolean', required: true, default: false, description } as const;
}

export const opa = describePlugin({
  name: 'opa',
  priority: 920,
  description:
    'Lets a policy of Open Policy Agent decide: one that a server holds, or one that runs in the gateway.',
  config: {
    opa_protocol: {
      type: 'string',
      required: true,
      default: 'http',
      one_of: ['http', 'https'],
      description: 'How the server of OPA is asked.',
    },
    opa_host: { ...t.host, required: true, default: 'localhost', description: 'Where the server of OPA is.' },
    opa_port: { ...t.port, required: true, default: 8181, description: 'Its port.' },
    opa_path: {
      ...t.path,
      description: 'The path of the decision: `/v1/data/PACKAGE/RULE`.',
    },
    include_service_in_opa_input: include('Whether the policy is told the service.'),
    include_route_in_opa_input: include('Whether the policy is told the route.'),
    include_consumer_in_opa_input: include('Whether the policy is told the consumer, if there is one.'),
    include_body_in_opa_input: include('Whether the policy is told the body as text, and its size.'),
    include_parsed_json_body_in_opa_input: include(
      'Whether the policy is told what the body says, where it is `application/json`.',
    ),
    include_uri_captures_in_opa_input: include(
      "Whether the policy is told the captures of the route's path.",
    ),
    ssl_verify: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether the certificate of the server is verified.',
    },
    policy_wasm: {
      type: 'string',
      referenceable: true,
      custom_validator: checkPolicy,
      description:
        'A policy that runs in the gateway, in place of a server: what `opa build -t wasm` makes (`policy.wasm`), in base64, may be in gzip. Not in Kong.',
    },
    policy_entrypoint: {
      type: 'string',
      description:
        'Which entry point of the policy decides: `PACKAGE/RULE`; the first, unless said. Not in Kong.',
    },
    policy_data: {
      type: 'json',
      description: 'What the policy finds under `data`. Not in Kong.',
    },
    policy_memory: {
      type: 'integer',
      required: true,
      default: 16,
      between: [1, 256],
      description: 'MiB that the policy may use in each worker. Not in Kong.',
    },
    policy_steps: {
      type: 'integer',
      required: true,
      default: 2_000_000,
      between: [1000, 2 ** 31 - 1],
      description:
        'Turns of loops that the policy may take for one decision, during which its worker does nothing else; a request whose decision takes more gets 500. Not in Kong.',
    },
  },
  checks: [
    { at_least_one_of: ['opa_path', 'policy_wasm'] },
    { mutually_exclusive: ['opa_path', 'policy_wasm'] },
  ],
  example: {
    opa_host: 'opa.internal',
    opa_path: '/v1/data/gateway/allow',
    include_consumer_in_opa_input: true,
  },
});
