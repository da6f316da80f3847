import { BACKSLASH, LOWER_V, NEWLINE, QUOTE, TAB } from './characters'
import { Cursor, finish, pause, Result, State } from './cursor'
import { writeControl, writePair } from './escapes'
import { controls, controlsAndBackslashes, copyUntilEscape, plainBytes, WIDTH } from './vectors'

/**
 * Copies a field as the contents of a JSON string. The escapes \\ \b \f \n \r \t are the same two bytes in COPY text
 * and in JSON. These differ: quotes, \v, and the other control characters, which COPY does not escape.
 */
export function copyText (): Result {
  let from = Cursor.input
  let to = Cursor.output
  const end = Cursor.rowEnd
  const limit = Cursor.outputLimit
  while (true) {
    const size = copyUntilEscape(from, to, end, limit)
    from += size
    to += size
    if (to > limit) return pause(from, to, Result.outputFull)
    if (from === end) return pause(from, to, Result.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === TAB || byte === NEWLINE) {
      store<u8>(to, <u8>QUOTE)
      return finish(from, to + 1, State.afterField)
    }
    if (byte === BACKSLASH) {
      if (from + 1 === end) return pause(from, to, Result.inputUsed)
      const next: u32 = load<u8>(from + 1)
      to = next === LOWER_V ? writeControl(to, 0x0b) : writePair(to, next)
      from += 2
    } else {
      to = byte === QUOTE ? writePair(to, QUOTE) : writeControl(to, byte)
      from++
    }
  }
}

/** Copies a number. */
export function copyDigits (): Result {
  let from = Cursor.input
  let to = Cursor.output
  while (true) {
    if (to > Cursor.outputLimit) return pause(from, to, Result.outputFull)
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(controls(bytes), from, Cursor.rowEnd)
    from += plain
    to += plain
    if (from === Cursor.rowEnd) return pause(from, to, Result.inputUsed)
    if (plain < WIDTH) return finish(from, to, State.afterField)
  }
}

/** Copies a jsonb value, which is JSON except that COPY doubles backslashes. */
export function copyJsonb (): Result {
  let from = Cursor.input
  let to = Cursor.output
  const end = Cursor.rowEnd
  const limit = Cursor.outputLimit
  while (true) {
    if (to > limit) return pause(from, to, Result.outputFull)
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(controlsAndBackslashes(bytes), from, end)
    from += plain
    to += plain
    if (plain === WIDTH) continue
    if (from === end) return pause(from, to, Result.inputUsed)
    if (load<u8>(from) !== BACKSLASH) return finish(from, to, State.afterField)
    if (from + 1 === end) return pause(from, to, Result.inputUsed)
    // The first of the two is in the output already
    from += 2
    to++
  }
}
