/**
 * Transcodes COPY text inside CopyData messages to rows of JSON: what lib/snapshot/codec/copy-to-json.ts does for one
 * row, which describes the translation, for a whole read of a socket. The calling side is
 * lib/snapshot/codec/messages-to-json.ts.
 *
 * 16 readable bytes must follow the input, and 16 writable ones the output: both are processed by vectors.
 */
import { writeArray } from './array'
import {
  BACKSLASH, CLOSE_BRACE, COMMA, FALSE_WORD, isNumber, LOWER_D, LOWER_T, MINUS, NEWLINE, NULL_WORD, OPEN_BRACE, QUOTE,
  TAB, TRUE_WORD, UPPER_N
} from './characters'
import { Column, Kind } from './column'
import { Cursor, finish, pause, Result, State } from './cursor'
import { copyDigits, copyJsonb, copyText } from './scalars'
import { escapes, plainBytes, WIDTH } from './vectors'

/** A type and a length. The length includes itself and not the type (PostgreSQL manual, 55.7). */
const HEADER: usize = 5
const LENGTH: u32 = 4
/** A step, which is what is written between two comparisons with the limit, is a key and up to this many bytes. */
const STEP: usize = 64

/** The current table. */
let columns: usize = 0
let lastColumn: usize = 0
let longestKey: usize = 0
/** Rows follow each other with a comma. */
let isFirstRow: bool = true

/** The current row: bytes of its message that have not been read, its next column, and whether it has a key yet. */
let missing: usize = 0
let isInRow: bool = false
let column: usize = 0
let hasKey: bool = false

/** Rows that were written, since the last call of takeRows(). */
let rows: u32 = 0
/** All rows are dropped. */
let isDropping: bool = false

/** The first address that the host may use. */
export function freeMemory (): usize {
  // eslint-disable-next-line camelcase -- a name of the compiler
  return __heap_base
}

/** @param description `count` structures of the type Column */
export function startTable (description: usize, count: u32): void {
  columns = description
  lastColumn = description + count * offsetof<Column>()
  longestKey = 0
  for (let at = description; at < lastColumn; at += offsetof<Column>()) {
    longestKey = max(longestKey, changetype<Column>(at).keySize)
  }
  isFirstRow = true
}

/** Begins a row without a header, which has `size` bytes with its new line. */
export function beginRow (size: u32): void {
  isInRow = true
  missing = size
  column = columns
  hasKey = false
  Cursor.state = State.row
}

/** From now on, rows are read to their ends and dropped. */
export function dropRows (): void {
  isDropping = true
}

/** Sets where output is written: at least twice as many bytes as a step needs. */
export function setOutput (start: usize, end: usize): void {
  Cursor.output = start
  Cursor.outputLimit = end - longestKey - STEP
}

export function inputPosition (): usize {
  return Cursor.input
}

export function outputPosition (): usize {
  return Cursor.output
}

/** Returns the number of rows that were written completely since the last call. */
export function takeRows (): u32 {
  const count = rows
  rows = 0
  return count
}

/**
 * Transcodes the input from `start` to `end`, until it is used, no room is left for output, or something follows that
 * is not a complete header of a CopyData message. After Result.malformed, rows are dropped.
 */
export function run (start: usize, end: usize): Result {
  Cursor.input = start
  while (true) {
    if (!isInRow && !readHeader(end)) return Result.notARow
    const available = end - Cursor.input
    const isWhole = missing <= available
    const before = Cursor.input
    Cursor.rowEnd = before + min(missing, available)
    const result = isDropping ? dropRow(isWhole) : writeRow(isWhole)
    missing -= Cursor.input - before
    if (result === Result.done && missing === 0) {
      isInRow = false
      if (!isDropping) rows++
    } else if (result === Result.done || result === Result.malformed || (result === Result.inputUsed && isWhole)) {
      isDropping = true
      return Result.malformed
    } else {
      return result
    }
  }
}

function readHeader (end: usize): bool {
  const at = Cursor.input
  if (end - at < HEADER || load<u8>(at) !== LOWER_D) return false
  const size = bswap<u32>(load<u32>(at + 1))
  if (size < LENGTH) return false
  Cursor.input = at + HEADER
  beginRow(size - LENGTH)
  return true
}

function dropRow (isWhole: bool): Result {
  return pause(Cursor.rowEnd, Cursor.output, isWhole ? Result.done : Result.inputUsed)
}

function writeRow (isWhole: bool): Result {
  while (true) {
    if (Cursor.state === State.row && !openRow()) return Result.outputFull
    if (Cursor.state === State.field) writeShortFields()
    if (Cursor.state === State.field) {
      const result = beginField()
      if (result !== Result.done) return result
      // The row is complete: a row without columns is an empty line
      if (column === lastColumn) return Result.done
    }
    if (Cursor.state !== State.afterField) {
      const result = continueField(isWhole)
      if (result !== Result.done) return result
    }
    if (Cursor.input === Cursor.rowEnd) return Result.inputUsed
    const separator: u32 = load<u8>(Cursor.input++)
    column += offsetof<Column>()
    Cursor.state = State.field
    if (column === lastColumn) {
      closeRow()
      return separator === NEWLINE ? Result.done : Result.malformed
    }
    if (separator !== TAB) return Result.malformed
  }
}

function openRow (): bool {
  const to = Cursor.output
  if (to > Cursor.outputLimit) return false
  if (isFirstRow) store<u8>(to, <u8>NEWLINE)
  else store<u16>(to, <u16>(COMMA | NEWLINE << 8))
  finish(Cursor.input, isFirstRow ? to + 1 : to + 2, State.field)
  isFirstRow = false
  return true
}

/**
 * Writes texts and numbers that have at most 15 bytes and nothing to escape, as most fields of most tables, with all
 * positions in local variables: that is twice as fast. Stops at the TAB or new line behind the last of them.
 */
function writeShortFields (): void {
  let from = Cursor.input
  let to = Cursor.output
  const limit = Cursor.outputLimit
  const end = Cursor.rowEnd
  let at = column
  while (at < lastColumn && to <= limit) {
    const description = changetype<Column>(at)
    const bytes = v128.load(from)
    const size = plainBytes(escapes(bytes), from, end)
    if (size === WIDTH || from + size === end) break
    const isNumeric = description.kind === Kind.number && isNumber(load<u8>(from), load<u8>(from + 1))
    const separator: u32 = load<u8>(from + size)
    if ((!isNumeric && description.kind !== Kind.text) || (separator !== TAB && separator !== NEWLINE)) break
    to = writeKey(description, to)
    if (!isNumeric) store<u8>(to++, <u8>QUOTE)
    v128.store(to, bytes)
    to += size
    if (!isNumeric) store<u8>(to++, <u8>QUOTE)
    from += size
    if (at + offsetof<Column>() === lastColumn || separator === NEWLINE) {
      Cursor.state = State.afterField
      break
    }
    from++
    at += offsetof<Column>()
  }
  column = at
  pause(from, to, Result.done)
}

function continueField (isWhole: bool): Result {
  switch (Cursor.state) {
    case State.text: return copyText()
    case State.digits: return copyDigits()
    case State.jsonb: return copyJsonb()
    default: return writeArray(changetype<Column>(column), isWhole)
  }
}

/** Writes the key, and what the first two bytes of a field decide. */
function beginField (): Result {
  const from = Cursor.input
  if (Cursor.output > Cursor.outputLimit) return Result.outputFull
  if (from === Cursor.rowEnd) return Result.inputUsed
  const first: u32 = load<u8>(from)
  // NULL and the infinities are told by the second byte
  if (from + 1 === Cursor.rowEnd && (first === BACKSLASH || first === MINUS)) return Result.inputUsed
  if (column === lastColumn) {
    if (first !== NEWLINE) return Result.malformed
    Cursor.input++
    closeRow()
    return Result.done
  }
  const description = changetype<Column>(column)
  const second: u32 = load<u8>(from + 1)
  const isNull = first === BACKSLASH && second === UPPER_N
  // SQL NULL is an absent key, since `null` is a valid jsonb value
  if (isNull && description.kind === Kind.jsonb) return finish(from + 2, Cursor.output, State.afterField)
  Cursor.output = writeKey(description, Cursor.output)
  if (!isNull) return beginValue(description.kind, first, second)
  store<u32>(Cursor.output, NULL_WORD)
  return finish(from + 2, Cursor.output + 4, State.afterField)
}

function closeRow (): void {
  if (!hasKey) store<u8>(Cursor.output++, <u8>OPEN_BRACE)
  store<u8>(Cursor.output++, <u8>CLOSE_BRACE)
}

/** The key begins with a comma. The first one of a row follows the brace instead. */
function writeKey (description: Column, to: usize): usize {
  const from = description.key
  const size: usize = description.keySize
  for (let at: usize = 0; at < size; at += WIDTH) v128.store(to + at, v128.load(from + at))
  if (!hasKey) store<u8>(to, <u8>OPEN_BRACE)
  hasKey = true
  return to + size
}

/** Decides how a value that is not NULL is written. `second` has a meaning after a minus only. */
function beginValue (kind: Kind, first: u32, second: u32): Result {
  const from = Cursor.input
  const to = Cursor.output
  if (kind === Kind.jsonb) return finish(from, to, State.jsonb)
  if (kind === Kind.number && isNumber(first, second)) return finish(from, to, State.digits)
  if (kind === Kind.array && first === OPEN_BRACE) return finish(from, to, State.array)
  if (kind === Kind.boolean) {
    store<u64>(to, first === LOWER_T ? TRUE_WORD : FALSE_WORD)
    return finish(from + 1, to + (first === LOWER_T ? 4 : 5), State.afterField)
  }
  // Texts; NaN and the infinities, which JSON cannot represent; arrays with explicit bounds: `[0:1]={a,b}`
  store<u8>(to, <u8>QUOTE)
  return finish(from, to + 1, State.text)
}
