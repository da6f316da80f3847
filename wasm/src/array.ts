import {
  BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, FALSE_WORD, isNumber, LOWER_T, NEWLINE, NULL_WORD, OPEN_BRACE,
  OPEN_BRACKET, QUOTE, TAB, TRUE_WORD, UPPER_N, UPPER_NULL_WORD
} from './characters'
import { Column, Kind } from './column'
import { Cursor, finish, pause, Result, State } from './cursor'
import { unescaped, writeCharacter } from './escapes'
import { copyUntilEscape, elementEnds, plainBytes } from './vectors'

/** The bytes that tell whether an element is NULL: the word, and what follows it, which may have COPY's escape. */
const NULL_AND_NEXT: usize = 6

/**
 * Writes the text of array_out() (PostgreSQL manual, 8.15.6) as a JSON array. COPY's escapes are outside those of the
 * array: what follows a backslash of COPY may be a backslash of the array, whose next character may again have an
 * escape of COPY.
 */
export function writeArray (column: Column, isWhole: bool): Result {
  while (true) {
    let result: Result
    if (Cursor.state === State.array) result = writeBetween(column, isWhole)
    else if (Cursor.state === State.quotedElement) result = copyQuoted()
    else result = copyBare(column.delimiter)
    if (result !== Result.done || Cursor.state === State.afterField) return result
  }
}

/** Writes braces and delimiters up to an element or the end of the field. */
function writeBetween (column: Column, isWhole: bool): Result {
  let from = Cursor.input
  let to = Cursor.output
  const delimiter: u32 = column.delimiter
  while (true) {
    if (to > Cursor.outputLimit) return pause(from, to, Result.outputFull)
    if (from === Cursor.rowEnd) return pause(from, to, Result.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === TAB || byte === NEWLINE) return finish(from, to, State.afterField)
    if (byte === QUOTE) {
      store<u8>(to, <u8>QUOTE)
      return finish(from + 1, to + 1, State.quotedElement)
    }
    if (byte === OPEN_BRACE || byte === CLOSE_BRACE) {
      store<u8>(to++, <u8>(byte === OPEN_BRACE ? OPEN_BRACKET : CLOSE_BRACKET))
      from++
      continue
    }
    if (byte === BACKSLASH && from + 1 === Cursor.rowEnd) return pause(from, to, Result.inputUsed)
    if (copyUnescaped(from) === delimiter) {
      store<u8>(to++, <u8>COMMA)
      from += copyWidth(from)
      continue
    }
    pause(from, to, Result.done)
    const result = beginElement(column, byte, isWhole)
    if (result !== Result.done || Cursor.state !== State.array) return result
    from = Cursor.input
    to = Cursor.output
  }
}

/** Begins an element without quotes whose first byte is `first`, or writes it if it is NULL or a boolean. */
function beginElement (column: Column, first: u32, isWhole: bool): Result {
  const from = Cursor.input
  const to = Cursor.output
  if (first === UPPER_N) {
    // The braces and the end of the row follow each element, so a shorter rest of the row is not NULL
    if (from + NULL_AND_NEXT > Cursor.rowEnd) {
      if (!isWhole) return Result.inputUsed
    } else if (isNull(from, column.delimiter)) {
      store<u32>(to, NULL_WORD)
      return pause(from + 4, to + 4, Result.done)
    }
  }
  if (column.element === Kind.boolean) {
    store<u64>(to, first === LOWER_T ? TRUE_WORD : FALSE_WORD)
    return pause(from + 1, to + (first === LOWER_T ? 4 : 5), Result.done)
  }
  if (column.element === Kind.number) {
    if (from + 1 === Cursor.rowEnd) return Result.inputUsed
    if (isNumber(first, load<u8>(from + 1))) return finish(from, to, State.bareNumber)
  }
  store<u8>(to, <u8>QUOTE)
  return finish(from, to + 1, State.bareElement)
}

function isNull (from: usize, delimiter: u32): bool {
  if (load<u32>(from) !== UPPER_NULL_WORD) return false
  const next = copyUnescaped(from + 4)
  return next === CLOSE_BRACE || next === delimiter
}

/** The character at `from`, without COPY's escape. */
function copyUnescaped (from: usize): u32 {
  const byte: u32 = load<u8>(from)
  return byte === BACKSLASH ? unescaped(load<u8>(from + 1)) : byte
}

/** The bytes of the character at `from`, with COPY's escape. */
function copyWidth (from: usize): usize {
  return load<u8>(from) === BACKSLASH ? 2 : 1
}

/** Copies an element without quotes up to the delimiter or brace behind it. */
function copyBare (delimiter: u32): Result {
  let from = Cursor.input
  let to = Cursor.output
  const end = Cursor.rowEnd
  while (true) {
    if (to > Cursor.outputLimit) return pause(from, to, Result.outputFull)
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(elementEnds(bytes, delimiter), from, end)
    from += plain
    to += plain
    if (from === end) return pause(from, to, Result.inputUsed)
    const byte: u32 = load<u8>(from)
    if (byte === TAB || byte === NEWLINE) return Result.malformed
    if (byte === BACKSLASH && from + 1 === end) return pause(from, to, Result.inputUsed)
    const character = copyUnescaped(from)
    if (character === delimiter || character === CLOSE_BRACE) {
      if (Cursor.state === State.bareElement) store<u8>(to++, <u8>QUOTE)
      return finish(from, to, State.array)
    }
    to = writeCharacter(to, character)
    from += copyWidth(from)
  }
}

/** Copies an element up to and with the quote behind it. A backslash escapes the next character. */
function copyQuoted (): Result {
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
    if (byte === QUOTE) {
      store<u8>(to, <u8>QUOTE)
      return finish(from + 1, to + 1, State.array)
    }
    if (byte === TAB || byte === NEWLINE) return Result.malformed
    let next = from
    if (byte === BACKSLASH) {
      if (from + 1 === end) return pause(from, to, Result.inputUsed)
      if (load<u8>(from + 1) === BACKSLASH) {
        // The array's escape: COPY doubles it
        next += 2
        if (next === end || (load<u8>(next) === BACKSLASH && next + 1 === end)) return pause(from, to, Result.inputUsed)
      }
    }
    to = writeCharacter(to, copyUnescaped(next))
    from = next + copyWidth(next)
  }
}
