/** What answers to these tests have in their bodies, whichever of it an answer has: of the echo, of errors, of OAuth. */
export interface AnswerBody {
  readonly message: string;
  readonly error: string;
  readonly error_description: string;
  readonly redirect_uri: string;
  readonly access_token: string;
  readonly refresh_token: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly url: string;
  readonly bodySha256: string;
}

/** JSON, or the text itself. */
export function answerBody(text: string): AnswerBody {
  return (text.startsWith('{') ? JSON.parse(text) : text) as AnswerBody;
}
