import { BACKSLASH, LOWER_U, QUOTE } from './characters'
import { writeEscaped, writePair } from './escapes'
import { Outcome, Place, proceed, Reading, stop } from './reading'
import { copyUntilEscape } from './vectors'

/** Results of readEscape() that are no width. */
export const ESCAPE_IS_CUT: i32 = 0
export const NO_ESCAPE: i32 = -1

const SLASH: u32 = 0x2f
const UNICODE_WIDTH: usize = 6

/** The code point of the last escape that was read. */
export class Escape { static code: u32 = 0 }

/** Copies the contents of a string, and reads the quote behind it. */
export function copyString (): Outcome {
  let from = Reading.input
  let to = Reading.output
  const end = Reading.inputEnd
  const limit = Reading.outputLimit
  while (true) {
    const size = copyUntilEscape(from, to, end, limit)
    from += size
    to += size
    if (to > limit) return stop(from, to, Outcome.outputFull)
    if (from === end) return stop(from, to, Outcome.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === QUOTE) return proceed(from + 1, to, Place.valueEnd)
    if (byte !== BACKSLASH) return stop(from, to, Outcome.refused)
    if (from + 1 < end && isShared(load<u8>(from + 1))) {
      to = writePair(to, load<u8>(from + 1))
      from += 2
      continue
    }
    const width = readEscape(from, end)
    if (width <= 0) return stop(from, to, width === ESCAPE_IS_CUT ? Outcome.inputUsed : Outcome.refused)
    to = writeCodePoint(to, Escape.code)
    from += width
  }
}

/** The letters of \\ \b \f \n \r \t, which are the same two bytes in JSON and in COPY text. */
function isShared (letter: u32): bool {
  if (letter === BACKSLASH) return true
  // b, f, n, r, t
  return letter - 0x62 < 19 && ((0b1010001000000010001 >> (letter - 0x62)) & 1) === 1
}

/** Reads the escape whose backslash is at `from`, and returns its width. */
export function readEscape (from: usize, end: usize): i32 {
  if (from + 1 === end) return ESCAPE_IS_CUT
  const letter: u32 = load<u8>(from + 1)
  if (letter === LOWER_U) return readUnicode(from, end)
  Escape.code = meaningOf(letter)
  return Escape.code === 0 ? NO_ESCAPE : 2
}

/** Refuses NUL and lone surrogates, which PostgreSQL cannot store. */
function readUnicode (from: usize, end: usize): i32 {
  if (from + UNICODE_WIDTH > end) return ESCAPE_IS_CUT
  const high = hexAt(from + 2)
  if (high <= 0) return NO_ESCAPE
  Escape.code = high
  if (high < 0xd800 || high > 0xdfff) return <i32>UNICODE_WIDTH
  if (high >= 0xdc00) return NO_ESCAPE
  if (from + UNICODE_WIDTH + 2 > end) return ESCAPE_IS_CUT
  if (load<u8>(from + 6) !== BACKSLASH || load<u8>(from + 7) !== LOWER_U) return NO_ESCAPE
  if (from + 2 * UNICODE_WIDTH > end) return ESCAPE_IS_CUT
  const low = hexAt(from + 8)
  if (low < 0xdc00 || low > 0xdfff) return NO_ESCAPE
  Escape.code = 0x10000 + ((high - 0xd800) << 10) + low - 0xdc00
  return 2 * <i32>UNICODE_WIDTH
}

/** The value of four hexadecimal digits; -1 if they are none. */
function hexAt (from: usize): i32 {
  let value: i32 = 0
  for (let at: usize = 0; at < 4; at++) {
    const byte: u32 = load<u8>(from + at)
    const letter = (byte | 0x20) - 0x61
    const digit = byte - 0x30
    if (digit >= 10 && letter >= 6) return -1
    value = value << 4 | (digit < 10 ? digit : letter + 10)
  }
  return value
}

/** What a backslash and `letter` stand for in JSON; 0 if they are no escape. */
function meaningOf (letter: u32): u32 {
  switch (letter) {
    case QUOTE:
    case SLASH:
    case BACKSLASH: return letter
    case 0x62: return 0x08
    case 0x66: return 0x0c
    case 0x6e: return 0x0a
    case 0x72: return 0x0d
    case 0x74: return 0x09
    default: return 0
  }
}

/** Writes a character as COPY writes it, in UTF-8, to `to`; returns the position after it. */
export function writeCodePoint (to: usize, code: u32): usize {
  return code < 0x80 ? writeEscaped(to, code) : writeUtf8(to, code)
}

/** Writes a character in UTF-8, unchanged. */
export function writeUtf8 (to: usize, code: u32): usize {
  if (code < 0x80) {
    store<u8>(to, <u8>code)
    return to + 1
  }
  if (code < 0x800) {
    store<u8>(to, <u8>(0xc0 | code >> 6))
    return writeContinuation(to + 1, code)
  }
  if (code < 0x10000) store<u8>(to, <u8>(0xe0 | code >> 12))
  else {
    store<u8>(to, <u8>(0xf0 | code >> 18))
    to = writeContinuation(to + 1, code >> 12) - 1
  }
  return writeContinuation(writeContinuation(to + 1, code >> 6), code)
}

function writeContinuation (to: usize, bits: u32): usize {
  store<u8>(to, <u8>(0x80 | bits & 0x3f))
  return to + 1
}

/** Writes a quote or backslash with the escape of array_out(), a backslash, which COPY doubles. */
export function writeArrayEscaped (to: usize, code: u32): usize {
  return code === QUOTE || code === BACKSLASH
    ? writeEscaped(writePair(to, BACKSLASH), code)
    : writeCodePoint(to, code)
}
