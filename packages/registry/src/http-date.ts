const LENGTH = 'Thu, 01 Jan 1970 00:00:00 GMT'.length;

/**
 * A time as HTTP tells it, in whole seconds (RFC 9110, section 5.6.7), out of any text that `Date` can read; `undefined` for
 * one that it cannot. What has that form's length and zone stays as it is: where nothing is compiled, writing a date is some
 * hundredths of a hit.
 */
export function httpDate(text: string | undefined): string | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  return text?.length === LENGTH && text.endsWith(' GMT') ? text : new Date(time).toUTCString();
}
