import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './characters'
import { refuse, stopFor, writeLength } from './binary-value'
import { endsScalar } from './json-embedded'
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

/**
 * Writes a jsonb value unchanged. Its end is found by its quotes and brackets: the server checks it. Unlike
 * json-embedded.ts, escapes nothing, and continues nowhere in the middle.
 */
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
    if (endsScalar(byte)) {
      Reading.output = to
      return from === start ? refuse() : from
    }
    store<u8>(to++, <u8>byte)
    from++
  }
}
