import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './characters'
import { findQuote, refuse, stopFor, writeLength } from './binary-value'
import { isSpace } from './json-embedded'
import { Escape, ESCAPE_IS_CUT, readEscape, writeUtf8 } from './json-strings'
import { Outcome, Reading } from './reading'
import { brackets, copyUntilEscape, escapes, plainBytes, WIDTH } from './vectors'

/** The version of jsonb_recv(). */
const JSONB_VERSION: u32 = 1

/** Writes the contents of a string as they are in UTF-8. */
export function encodeText (from: usize): usize {
  const start = Reading.output
  if (load<u8>(from) !== QUOTE) return refuse()
  const end = copyContents(from + 1, start + 4)
  writeLength(start)
  return end
}

/** Copies up to the quote behind a string; returns the position after the quote, or 0. */
function copyContents (start: usize, output: usize): usize {
  let from = start
  let to = output
  const end = Reading.inputEnd
  const limit = Reading.outputLimit
  while (true) {
    const size = copyUntilEscape(from, to, end, limit)
    from += size
    to += size
    if (to > limit) return stopFor(Outcome.outputFull)
    if (from === end) return stopFor(Outcome.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === QUOTE) {
      Reading.output = to
      return from + 1
    }
    if (byte !== BACKSLASH) return refuse()
    const width = readEscape(from, end)
    if (width <= 0) return width === ESCAPE_IS_CUT ? stopFor(Outcome.inputUsed) : refuse()
    to = writeUtf8(to, Escape.code)
    from += width
  }
}

/** Writes a jsonb value unchanged. Its end is found by its quotes and brackets: the server checks it. */
export function encodeJsonb (from: usize): usize {
  const start = Reading.output
  store<u8>(start, <u8>JSONB_VERSION, 4)
  const byte: u32 = load<u8>(from)
  let end: usize
  if (byte === QUOTE) end = copyJsonString(from, start + 5)
  else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) end = copyNested(from, start + 5)
  else end = copyScalar(from, start + 5)
  writeLength(start)
  return end
}

/** Copies a value with brackets. */
function copyNested (start: usize, output: usize): usize {
  let from = start
  let to = output
  let depth = 0
  const end = Reading.inputEnd
  while (true) {
    if (to > Reading.outputLimit) return stopFor(Outcome.outputFull)
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(v128.or(escapes(bytes), brackets(bytes)), from, end)
    from += plain
    to += plain
    if (plain === WIDTH) continue
    if (from === end) return stopFor(Outcome.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === QUOTE) {
      from = copyJsonString(from, to)
      if (from === 0) return 0
      to = Reading.output
      continue
    }
    store<u8>(to++, <u8>byte)
    from++
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) {
      Reading.output = to
      return from
    }
  }
}

/** Copies a string with its quotes and escapes. */
function copyJsonString (start: usize, output: usize): usize {
  let from = start + 1
  let to = output
  const end = Reading.inputEnd
  const limit = Reading.outputLimit
  store<u8>(to++, <u8>QUOTE)
  while (true) {
    const size = copyUntilEscape(from, to, end, limit)
    from += size
    to += size
    if (to > limit) return stopFor(Outcome.outputFull)
    if (from === end) return stopFor(Outcome.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === QUOTE) {
      store<u8>(to, <u8>QUOTE)
      Reading.output = to + 1
      return from + 1
    }
    if (byte === BACKSLASH && from + 1 === end) return stopFor(Outcome.inputUsed)
    // A control character is the server's to report
    store<u16>(to, load<u16>(from))
    const width: usize = byte === BACKSLASH ? 2 : 1
    from += width
    to += width
  }
}

function copyScalar (start: usize, output: usize): usize {
  let from = start
  let to = output
  while (true) {
    if (to > Reading.outputLimit) return stopFor(Outcome.outputFull)
    if (from === Reading.inputEnd) return stopFor(Outcome.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || isSpace(byte)) {
      Reading.output = to
      return from === start ? refuse() : from
    }
    store<u8>(to++, <u8>byte)
    from++
  }
}

/** Hexadecimal digits as numbers; a digit that is none becomes a number above 15. */
function digits (bytes: v128): v128 {
  const decimal = i8x16.sub(bytes, i8x16.splat(0x30))
  const letter = i8x16.sub(bytes, i8x16.splat(0x57))
  const isLetter = v128.and(i8x16.ge_u(letter, i8x16.splat(10)), i8x16.le_u(letter, i8x16.splat(15)))
  const other = v128.bitselect(letter, i8x16.splat(-1), isLetter)
  return v128.bitselect(decimal, other, i8x16.le_u(decimal, i8x16.splat(9)))
}

function areDigits (values: v128): bool {
  return i8x16.all_true(i8x16.le_u(values, i8x16.splat(15)))
}

/** Joins digits in pairs, to eight bytes in lanes of 16 bits. */
function pairs (values: v128): v128 {
  const high = i16x8.shl(v128.and(values, i16x8.splat(0xff)), 4)
  return v128.or(high, i16x8.shr_u(values, 8))
}

/** Bytes of a UUID with both quotes. */
const UUID_SIZE: usize = 38
const HYPHEN: u8 = 0x2d

/** Encodes a UUID in the form of uuid_out(). */
export function encodeUuid (from: usize): usize {
  if (load<u8>(from) !== QUOTE) return refuse()
  const quote = findQuote(from + 1)
  if (quote === 0) return 0
  if (quote + 1 !== from + UUID_SIZE) return refuse()
  const text = from + 1
  const first = v128.load(text)
  const second = v128.load(text, 16)
  const third = v128.load(text, 20)
  const high = digits(v128.shuffle<u8>(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17))
  const low = digits(v128.shuffle<u8>(second, third, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 28, 29, 30, 31))
  if (!areDigits(high) || !areDigits(low)) return refuse()
  if (load<u8>(text, 8) !== HYPHEN || load<u8>(text, 13) !== HYPHEN) return refuse()
  if (load<u8>(text, 18) !== HYPHEN || load<u8>(text, 23) !== HYPHEN) return refuse()
  store<u32>(Reading.output, bswap<u32>(16))
  v128.store(Reading.output, i8x16.narrow_i16x8_u(pairs(high), pairs(low)), 4)
  Reading.output += 20
  return quote + 1
}

/** `"\\x` in memory order, little-endian. */
const HEX_PREFIX: u32 = 0x785c5c22

/** Encodes the hexadecimal form of byteaout(). */
export function encodeBytea (from: usize): usize {
  const start = Reading.output
  if (from + 5 > Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (load<u32>(from) !== HEX_PREFIX) return refuse()
  const end = copyHex(from + 4, start + 4)
  writeLength(start)
  return end
}

function copyHex (start: usize, output: usize): usize {
  let from = start
  let to = output
  const end = Reading.inputEnd
  while (true) {
    if (to > Reading.outputLimit) return stopFor(Outcome.outputFull)
    if (from + 2 * WIDTH <= end) {
      const high = digits(v128.load(from))
      const low = digits(v128.load(from, 16))
      if (areDigits(high) && areDigits(low)) {
        v128.store(to, i8x16.narrow_i16x8_u(pairs(high), pairs(low)))
        from += 2 * WIDTH
        to += WIDTH
        continue
      }
    }
    if (from === end) return stopFor(Outcome.inputUsed)
    if (load<u8>(from) === QUOTE) {
      Reading.output = to
      return from + 1
    }
    if (from + 2 > end) return stopFor(Outcome.inputUsed)
    const high = digitOf(load<u8>(from))
    const low = digitOf(load<u8>(from, 1))
    if (high > 15 || low > 15) return refuse()
    store<u8>(to++, <u8>(high << 4 | low))
    from += 2
  }
}

function digitOf (byte: u32): u32 {
  const decimal = byte - 0x30
  if (decimal < 10) return decimal
  const letter = byte - 0x61
  return letter < 6 ? letter + 10 : 16
}
