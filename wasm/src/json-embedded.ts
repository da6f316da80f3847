import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, isSpace, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './characters'
import { writeEscaped, writePair } from './escapes'
import { Outcome, Place, proceed, Reading, stop } from './reading'
import { brackets, copyUntilEscape, escapes, plainBytes, WIDTH } from './vectors'

/** Brackets that are open. */
let depth: u32 = 0

/**
 * Begins a jsonb value, which is copied unchanged but for COPY's escapes, and whose end is found by its quotes and
 * brackets: the server checks it.
 */
export function beginEmbedded (): Outcome {
  const from = Reading.input
  const byte: u32 = load<u8>(from)
  depth = 0
  if (byte === QUOTE) {
    store<u8>(Reading.output, <u8>byte)
    return proceed(from + 1, Reading.output + 1, Place.nestedString)
  }
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return proceed(from, Reading.output, Place.nested)
  return endsScalar(byte) ? Outcome.refused : proceed(from, Reading.output, Place.nestedScalar)
}

export function copyEmbedded (): Outcome {
  while (true) {
    let outcome: Outcome
    if (Reading.place === Place.nested) outcome = copyNested()
    else if (Reading.place === Place.nestedString) outcome = copyNestedString()
    else outcome = copyNestedScalar()
    if (outcome !== Outcome.done || Reading.place === Place.valueEnd) return outcome
  }
}

/** Copies up to and with the quote of a string, or the last bracket. */
function copyNested (): Outcome {
  let from = Reading.input
  let to = Reading.output
  const end = Reading.inputEnd
  while (true) {
    if (to > Reading.outputLimit) return stop(from, to, Outcome.outputFull)
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(v128.or(escapes(bytes), brackets(bytes)), from, end)
    from += plain
    to += plain
    if (plain === WIDTH) continue
    if (from === end) return stop(from, to, Outcome.inputUsed)
    const byte: u32 = load<u8>(from++)
    to = writeEscaped(to, byte)
    if (byte === QUOTE) return proceed(from, to, Place.nestedString)
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) {
      return proceed(from, to, Place.valueEnd)
    }
  }
}

/** Copies up to and with the quote behind a string. A backslash escapes the next byte. */
function copyNestedString (): Outcome {
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
    if (byte === BACKSLASH) {
      if (from + 1 === end) return stop(from, to, Outcome.inputUsed)
      to = writeEscaped(writePair(to, BACKSLASH), load<u8>(from + 1))
      from += 2
      continue
    }
    from++
    to = writeEscaped(to, byte)
    if (byte === QUOTE) return proceed(from, to, depth === 0 ? Place.valueEnd : Place.nested)
  }
}

function copyNestedScalar (): Outcome {
  let from = Reading.input
  let to = Reading.output
  while (true) {
    if (to > Reading.outputLimit) return stop(from, to, Outcome.outputFull)
    if (from === Reading.inputEnd) return stop(from, to, Outcome.inputUsed)
    const byte: u32 = load<u8>(from)
    if (endsScalar(byte)) return proceed(from, to, Place.valueEnd)
    to = writeEscaped(to, byte)
    from++
  }
}

/** White space, a comma, or a closing bracket. */
export function endsScalar (byte: u32): bool {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || isSpace(byte)
}
