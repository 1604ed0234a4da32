/** Bodies of the responses that the gateway makes itself when something is wrong, in the form the client can read. */
import type { Settings } from '../settings/settings.ts';

export interface ErrorRequest {
  /** `kong`: made by the gateway's own logic. `nginx`: an error of the wire (bad request, upstream failed). */
  readonly kind: 'kong' | 'nginx';
  /** 494 (header too large) is answered as 400. */
  readonly status: number;
  /** Absent: the usual text of the status. */
  readonly message?: string | undefined;
  /** Accept, several lines joined with a comma; undefined when absent. */
  readonly accept: string | undefined;
  /** The request's Content-Type. */
  readonly contentType: string | undefined;
  readonly requestId: string;
  readonly isGrpc: boolean;
}

export interface ErrorBody {
  /** What goes on the status line. */
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  /** grpc-status and grpc-message for gRPC clients. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

export type ErrorBodySettings = Pick<
  Settings,
  | 'error_default_type'
  | 'error_template_html'
  | 'error_template_json'
  | 'error_template_xml'
  | 'error_template_plain'
>;

/** Reads the templates once (`error_template_*` are paths; their content has two `%s`: message, request id). */
export class ErrorBodies {
  /** @throws {Error} naming the setting when a template cannot be read or has not two `%s`. */
  constructor(_settings: ErrorBodySettings) {
    throw new Error('not built yet');
  }

  errorBody(_request: ErrorRequest): ErrorBody {
    throw new Error('not built yet');
  }
}

/** Does this Content-Type belong to a gRPC request? */
export function isGrpcContentType(_contentType: string | undefined): boolean {
  throw new Error('not built yet');
}
