/** Copies of requests to another place. Sluice's own. */
import { checkHttpUrl } from '../../entities/formats/http-url.ts';
import { describePlugin } from '../../entities/plugin-description.ts';
import * as t from '../../entities/typedefs.ts';

const MEBIBYTE = 1024 * 1024;
const PROTOCOLS = ['http', 'https'] as const;

export const trafficMirror = describePlugin({
  name: 'traffic-mirror',
  priority: 10,
  description:
    'Sends copies of requests to another service as well, whose answers nobody gets: no request waits for its copy.',
  // Calls of gRPC stream: their bodies are never here when they are sent on.
  protocols: { accepted: PROTOCOLS, default: PROTOCOLS },
  never: ['consumer', 'consumer_group'],
  example: { url: 'http://orders-next.internal.example:8080', percentage: 5, max_in_flight: 50 },
  config: {
    service: {
      type: 'string',
      len_min: 1,
      description: 'Name or id of the service that gets the copies, on its terms: path, TLS, balancing.',
    },
    url: {
      type: 'string',
      custom_validator: (text) => {
        if (text.includes('?')) return 'must have no query: that of the request is copied';
        return checkHttpUrl(text);
      },
      description:
        'Where copies go, if not to a service. Its path stands before theirs; a host that is the name of an upstream is balanced.',
    },
    tls_verify: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether the certificate behind an https `url` is verified. A service says so itself.',
    },
    percentage: {
      type: 'number',
      required: true,
      default: 100,
      between: [0, 100],
      description: 'Share of the requests that are copied; each is drawn for itself.',
    },
    max_in_flight: {
      type: 'integer',
      required: true,
      default: 100,
      between: [1, 10_000],
      description: 'Copies of one worker that are under way at once. What is beyond is counted and not sent.',
    },
    max_body_size: {
      type: 'integer',
      required: true,
      default: MEBIBYTE,
      between: [0, 64 * MEBIBYTE],
      description:
        'Octets of a body: a request with more, or one whose body streams, is not copied and counted. Bodies stream without the ' +
        'route’s `request_buffering`, and beyond `request_buffer_size`.',
    },
    max_response_size: {
      type: 'integer',
      required: true,
      default: MEBIBYTE,
      between: [0, 1024 * MEBIBYTE],
      description:
        'Octets of an answer’s body that are read, and thrown away; then the connection is closed.',
    },
    timeout: {
      type: 'integer',
      required: true,
      default: 10_000,
      between: [1, 3_600_000],
      description: 'Milliseconds for a copy and its answer. Time-outs of the service hold as well.',
    },
    strip_credentials: {
      type: 'boolean',
      required: true,
      default: true,
      description:
        'Whether copies have none of the usual credentials: the headers `Authorization`, `Proxy-Authorization`, `Cookie`, `apikey`, ' +
        '`Api-Key` and `X-API-Key`, the arguments `apikey`, `api_key`, `access_token` and `jwt`.',
    },
    remove_headers: {
      type: 'set',
      required: true,
      default: [],
      elements: t.headerName,
      description: 'More headers that are not copied, in any spelling.',
    },
    remove_args: {
      type: 'set',
      required: true,
      default: [],
      elements: { type: 'string', len_min: 1 },
      description: 'More arguments of the query that are not copied.',
    },
    mark_header: {
      ...t.headerName,
      required: true,
      default: 'X-Mirrored-By',
      len_min: 1,
      description:
        'Header that says `sluice` on copies. What comes in with it is a copy, and not copied again.',
    },
  },
  checks: [{ at_least_one_of: ['service', 'url'] }, { mutually_exclusive: ['service', 'url'] }],
});
