import {
  BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, LOWER_N, OPEN_BRACE, OPEN_BRACKET, QUOTE, SPACE, UPPER_NULL_WORD
} from './characters'
import { Column, Kind } from './column'
import { writeEscaped } from './escapes'
import { copyBoolean, copyNumber, matchNull } from './json-scalars'
import { Escape, ESCAPE_IS_CUT, readEscape, writeArrayEscaped, writeCodePoint } from './json-strings'
import { Outcome, Place, proceed, Reading, stop } from './reading'
import { arrayQuotes, copyUntilEscape, escapes, plainBytes, WIDTH } from './vectors'

/** PostgreSQL's MAXDIM. */
export const DEEPEST: u32 = 6
/** Bytes within which an element that needs no quotes must end. */
const LONGEST_BARE: usize = 16384

/** Brackets that are open. */
let depth: u32 = 0
/** A comma precedes, so an element must follow. */
let isAfterComma: bool = false

export function beginArray (): Outcome {
  depth = 0
  isAfterComma = false
  if (load<u8>(Reading.input) !== OPEN_BRACKET) return Outcome.refused
  Reading.place = Place.element
  return Outcome.done
}

/** Writes a JSON array as array_out() does (PostgreSQL manual, 8.15.6). Refuses white space. */
export function copyArray (column: Column): Outcome {
  while (true) {
    if (Reading.output > Reading.outputLimit) return Outcome.outputFull
    let outcome: Outcome
    if (Reading.place === Place.quotedElement) outcome = copyQuotedElement()
    else if (Reading.place === Place.bareElement) outcome = copyBareElement()
    else if (Reading.input === Reading.inputEnd) return Outcome.inputUsed
    else if (Reading.place === Place.element) outcome = beginElement(column)
    else outcome = endElement(column.delimiter)
    if (outcome !== Outcome.done || Reading.place === Place.valueEnd) return outcome
  }
}

function beginElement (column: Column): Outcome {
  const from = Reading.input
  const to = Reading.output
  const byte: u32 = load<u8>(from)
  if (byte === OPEN_BRACKET) {
    if (++depth > DEEPEST) return Outcome.refused
    isAfterComma = false
    store<u8>(to, <u8>OPEN_BRACE)
    return stop(from + 1, to + 1, Outcome.done)
  }
  if (byte === CLOSE_BRACKET) return isAfterComma ? Outcome.refused : closeArray()
  if (byte === LOWER_N) {
    const matched = matchNull(from)
    if (matched !== Outcome.done) return matched
    store<u32>(to, UPPER_NULL_WORD)
    return proceed(from + 4, to + 4, Place.elementEnd)
  }
  if (column.element === Kind.text) return byte === QUOTE ? beginText(column.delimiter) : Outcome.refused
  const outcome = column.element === Kind.number ? copyNumber() : copyBoolean()
  if (outcome === Outcome.done) Reading.place = Place.elementEnd
  return outcome
}

function closeArray (): Outcome {
  store<u8>(Reading.output, <u8>CLOSE_BRACE)
  return proceed(Reading.input + 1, Reading.output + 1, --depth === 0 ? Place.valueEnd : Place.elementEnd)
}

function endElement (delimiter: u32): Outcome {
  const byte: u32 = load<u8>(Reading.input)
  if (byte === CLOSE_BRACKET) return closeArray()
  if (byte !== COMMA) return Outcome.refused
  isAfterComma = true
  return proceed(Reading.input + 1, writeEscaped(Reading.output, delimiter), Place.element)
}

/** Whether an element is written with quotes; `cut` if that cannot be known before more bytes arrive. */
const enum Quoting { none, quotes, cut, unknown }

function beginText (delimiter: u32): Outcome {
  const from = Reading.input + 1
  const to = Reading.output
  switch (quotingOf(from, delimiter)) {
    case Quoting.none: return proceed(from, to, Place.bareElement)
    case Quoting.quotes:
      store<u8>(to, <u8>QUOTE)
      return proceed(from, to + 1, Place.quotedElement)
    case Quoting.cut: return Outcome.inputUsed
    default: return Outcome.refused
  }
}

/**
 * array_out() quotes an element that is empty or NULL, or contains a brace, quote, backslash, delimiter or white space.
 */
function quotingOf (start: usize, delimiter: u32): Quoting {
  let from = start
  const end = Reading.inputEnd
  while (from < end && from - start <= LONGEST_BARE) {
    const bytes = v128.load(from)
    from += plainBytes(arrayQuotes(bytes, delimiter), from, end)
    if (from === end) break
    const byte: u32 = load<u8>(from)
    if (byte === QUOTE) return from === start || isNullWord(start, from) ? Quoting.quotes : Quoting.none
    if (byte === BACKSLASH) {
      const width = readEscape(from, end)
      if (width === ESCAPE_IS_CUT) return Quoting.cut
      if (width < 0) return Quoting.unknown
      if (isQuoted(Escape.code, delimiter)) return Quoting.quotes
      // An escape of a letter could spell NULL
      if (Escape.code - 0x41 < 0x3a) return Quoting.unknown
      from += width
    } else if (isQuoted(byte, delimiter)) {
      return Quoting.quotes
    } else if (byte < SPACE) {
      return Quoting.unknown
    }
  }
  return from - start > LONGEST_BARE ? Quoting.unknown : Quoting.cut
}

/** NULL in upper or lower case, which array_in() reads as SQL NULL. */
function isNullWord (start: usize, end: usize): bool {
  return end - start === 4 && (load<u32>(start) & 0xdfdfdfdf) === UPPER_NULL_WORD
}

function isQuoted (code: u32, delimiter: u32): bool {
  if (code === delimiter || code === SPACE || code === QUOTE || code === BACKSLASH) return true
  return code === OPEN_BRACE || code === CLOSE_BRACE || code - 0x09 < 5
}

/** Copies an element with quotes, up to and with the quote behind it. */
function copyQuotedElement (): Outcome {
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
    if (byte === QUOTE) {
      store<u8>(to, <u8>QUOTE)
      return proceed(from + 1, to + 1, Place.elementEnd)
    }
    if (byte !== BACKSLASH) return stop(from, to, Outcome.refused)
    const width = readEscape(from, end)
    if (width <= 0) return stop(from, to, width === ESCAPE_IS_CUT ? Outcome.inputUsed : Outcome.refused)
    to = writeArrayEscaped(to, Escape.code)
    from += width
  }
}

/** Copies an element that needs no quotes, and reads the quote behind it. */
function copyBareElement (): Outcome {
  let from = Reading.input
  let to = Reading.output
  const end = Reading.inputEnd
  while (true) {
    if (to > Reading.outputLimit) return stop(from, to, Outcome.outputFull)
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(escapes(bytes), from, end)
    from += plain
    to += plain
    if (plain === WIDTH) continue
    if (load<u8>(from) === QUOTE) return proceed(from + 1, to, Place.elementEnd)
    const width = readEscape(from, end)
    to = writeCodePoint(to, Escape.code)
    from += width
  }
}
