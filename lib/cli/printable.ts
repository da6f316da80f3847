/**
 * Characters that a terminal acts upon or that change the order of a line: controls (Cc), format characters (Cf: marks
 * of direction, zero width), line separators (Zl, Zp) and lone surrogates. Names in a database may contain them.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

const escapeOf = (character: string): string => {
  const code = Number(character.codePointAt(0))
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`
}

/** The text on one line, with escapes for the characters that must not reach a terminal. */
export const printable = (text: string): string => text.replace(unsafe, escapeOf)

/** JSON on one line, or indented. The characters that JSON leaves unescaped, C1 controls among them, are escaped. */
export const safeJson = (value: unknown, indent = 0): string =>
  JSON.stringify(value, null, indent).replace(unsafe, (character) => character === '\n'
    ? '\n'
    : [...character.split('')].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''))
