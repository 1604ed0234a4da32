/**
 * Bodies of the responses that the gateway makes itself when something is wrong, in the form the client can read.
 *
 * Kong has two makers and clients see the difference: what its own logic refuses (`kind: 'kong'`) asks only Accept and
 * falls back on JSON; what nginx would refuse (`kind: 'nginx'`: a malformed request, an upstream that failed) asks
 * Accept, then the request's Content-Type, then `error_default_type`. gRPC clients get no body but the gRPC status.
 * Nothing here caches: an error answer is rare or an attack, and then no memory should grow.
 */
import { readFileSync } from '../lib/node-fs.ts';
import type { Settings } from '../settings/settings.ts';
import { type ErrorForm, preferredForm } from './accept.ts';
import { compileTemplate, DEFAULT_TEMPLATES, type ErrorTemplate } from './error-template.ts';
import { grpcMessage, grpcStatus, isGrpcContentType } from './grpc-status.ts';

export interface ErrorRequest {
  /** `kong`: made by the gateway's own logic. `nginx`: an error of the wire (bad request, upstream failed). */
  readonly kind: 'kong' | 'nginx';
  /** 494 (request header too large) is answered as 400. */
  readonly status: number;
  /** Absent: the usual text of the status. */
  readonly message?: string | undefined;
  /** Accept, several lines joined with a comma; undefined when absent. */
  readonly accept: string | undefined;
  /** The request's Content-Type. */
  readonly contentType: string | undefined;
  readonly requestId: string;
  /** A gRPC request over HTTP/2. */
  readonly isGrpc: boolean;
}

export interface ErrorBody {
  /** What goes on the status line. */
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** grpc-status and grpc-message for gRPC clients. */
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]>;
}

export type ErrorBodySettings = Pick<
  Settings,
  | 'error_default_type'
  | 'error_template_html'
  | 'error_template_json'
  | 'error_template_xml'
  | 'error_template_plain'
>;

/** Request header or cookie too large: nginx's own status, never seen on the wire. */
export const STATUS_HEADER_TOO_LARGE = 494;

/** Kong's texts. */
const MESSAGES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Unauthorized',
  402: 'Payment required',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not acceptable',
  407: 'Proxy authentication required',
  408: 'Request timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length required',
  412: 'Precondition failed',
  413: 'Payload too large',
  414: 'URI too long',
  415: 'Unsupported media type',
  416: 'Range not satisfiable',
  417: 'Expectation failed',
  421: 'Misdirected request',
  422: 'Unprocessable entity',
  425: 'Too early',
  426: 'Upgrade required',
  428: 'Precondition required',
  429: 'Too many requests',
  431: 'Request header fields too large',
  451: 'Unavailable for legal reasons',
  [STATUS_HEADER_TOO_LARGE]: 'Request header or cookie too large',
  500: 'An unexpected error occurred',
  501: 'Not implemented',
  502: 'An invalid response was received from the upstream server',
  503: 'The upstream server is currently unavailable',
  504: 'The upstream server is timing out',
  505: 'HTTP version not supported',
};

/** The text of a status when nothing more is known. */
function defaultMessage(status: number): string {
  return MESSAGES[status] ?? `The upstream server responded with ${status}`;
}

const EMPTY = Buffer.alloc(0);
const FORM_NAMES = ['html', 'json', 'xml', 'plain'] as const satisfies readonly ErrorForm[];

/** The error bodies of one worker; templates are read once. */
export class ErrorBodies {
  readonly #templates: Readonly<Record<ErrorForm, ErrorTemplate>>;
  readonly #defaultType: string;

  /** @throws {Error} naming the setting, when a template cannot be read or is malformed. */
  constructor(settings: ErrorBodySettings) {
    const templates: Partial<Record<ErrorForm, ErrorTemplate>> = {};
    for (const form of FORM_NAMES) {
      const path = settings[`error_template_${form}`];
      templates[form] =
        path === null ? compileTemplate(form, DEFAULT_TEMPLATES[form]) : readTemplate(form, path);
    }
    this.#templates = templates as Record<ErrorForm, ErrorTemplate>;
    this.#defaultType = settings.error_default_type;
  }

  errorBody(request: ErrorRequest): ErrorBody {
    const message = request.message ?? defaultMessage(request.status);
    const status = request.status === STATUS_HEADER_TOO_LARGE ? 400 : request.status;
    if (request.isGrpc) return grpcBody(status, message);
    let wanted = request.accept;
    if (request.kind === 'nginx') {
      wanted ??= request.contentType ?? this.#defaultType;
      // A gRPC media type without HTTP/2: Kong answers in its compact form.
      if (isGrpcContentType(wanted)) return compactBody(status, message);
    }
    const template = this.#templates[preferredForm(wanted)];
    return {
      status,
      contentType: template.contentType,
      body: Buffer.from(template.fill(message, request.requestId)),
    };
  }
}

function readTemplate(form: ErrorForm, path: string): ErrorTemplate {
  try {
    return compileTemplate(form, readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`error_template_${form} = ${path}: ${reason}`, { cause: error });
  }
}

function grpcBody(status: number, message: string): ErrorBody {
  return {
    status,
    contentType: 'application/grpc',
    body: EMPTY,
    headers: [
      ['grpc-status', String(grpcStatus(status))],
      ['grpc-message', grpcMessage(message)],
    ],
  };
}

/** Kong's `kong.response.exit` form: compact JSON without a request id. */
function compactBody(status: number, message: string): ErrorBody {
  return {
    status,
    contentType: 'application/json; charset=utf-8',
    body: Buffer.from(JSON.stringify({ message })),
  };
}
