/** URLs of services that plugins ask themselves. */

/** Answers null or what is wrong. A user in it would end up in logs. */
export function checkHttpUrl(text: string): string | null {
  if (!/^https?:\/\//i.test(text)) return 'must begin with http:// or https://';
  if (!URL.canParse(text)) return 'is not a URL';
  const { username, password, hash } = new URL(text);
  if (username !== '' || password !== '') return 'must have no user and password';
  return hash === '' ? null : 'must have no fragment';
}
