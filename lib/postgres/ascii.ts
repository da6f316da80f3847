/** Every encoding that a database can have contains ASCII, without NUL (manual, 23.3.1). */
export const isAscii = (text: string): boolean => /^[^\0\x80-\uffff]*$/.test(text)

/** `\u65e5` for each UTF-16 code unit that is not in ASCII, and for NUL. */
export const escapeNonAscii = (text: string, prefix = '\\u'): string =>
  text.replaceAll(/[\0\x80-\uffff]/g, (unit) => prefix + unit.charCodeAt(0).toString(16).padStart(4, '0'))

/**
 * JSON in ASCII, for a column of type json or text. A character that the encoding of the database does not have, and a
 * surrogate without its pair, cannot be sent as they are. The type jsonb refuses some of the escapes, and functions of
 * the server that read the strings do, too.
 */
export const asciiJson = (value: object): string => escapeNonAscii(JSON.stringify(value))
