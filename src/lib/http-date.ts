/** Dates of HTTP to read (RFC 9110 §5.6.7): the one form that is written today, and the two that once were. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const FIXED = /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const RFC850 = /^[A-Z][a-z]{5,8}, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;

/** @returns milliseconds since 1970; null when it is no date. The name of the day is not looked at. */
export function parseHttpDate(text: string): number | null {
  let match = FIXED.exec(text);
  if (match !== null) return instant(match[3], match[2], match[1], match.slice(4));
  match = RFC850.exec(text);
  if (match !== null) {
    const year = Number(match[3]);
    return instant(String(year < 70 ? 2000 + year : 1900 + year), match[2], match[1], match.slice(4));
  }
  match = ASCTIME.exec(text);
  return match === null ? null : instant(match[6], match[1], match[2], match.slice(3, 6));
}

function instant(
  year: string | undefined,
  monthName: string | undefined,
  day: string | undefined,
  time: readonly string[],
): number | null {
  const month = MONTHS.indexOf(monthName ?? '');
  const [hour, minute, second] = time.map(Number);
  if (month < 0 || hour === undefined || minute === undefined || second === undefined) return null;
  if (hour > 23 || minute > 59 || second > 60) return null;
  const at = Date.UTC(Number(year), month, Number(day), hour, minute, second);
  // The 31st of April is no day.
  return new Date(Date.UTC(Number(year), month, Number(day))).getUTCMonth() === month && Number(day) > 0
    ? at
    : null;
}
