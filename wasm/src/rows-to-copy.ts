/**
 * Transcodes rows of JSON to COPY text: what lib/snapshot/codec/json-to-copy.ts does for one row, for many, in a list
 * whose opening bracket was read. Takes rows as the writer formats them only, with any white space between them, and
 * refuses all others: the host has the one in TypeScript read them. The calling side is
 * lib/snapshot/codec/rows-to-copy.ts.
 *
 * 32 readable bytes must follow the input, and 32 writable ones the output: both are processed by vectors.
 */
import {
  BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COMMA, LOWER_N, NEWLINE, OPEN_BRACE, QUOTE, spaceEnd, TAB, UPPER_N
} from './characters'
import { Column, Kind } from './column'
import { beginArray, copyArray } from './json-array'
import { beginEmbedded, copyEmbedded } from './json-embedded'
import { copyBoolean, copyNumber, matchNull, numberEnd, writeNumber } from './json-scalars'
import { copyString } from './json-strings'
import { matchKey } from './keys'
import { Outcome, Place, proceed, Reading, stop } from './reading'
import { escapes, plainBytes, WIDTH } from './vectors'

/** A step, which is what is written between two comparisons with the limit, has up to this many bytes. */
const STEP: usize = 128
/** Bytes of a text that is read together with its key, about. */
const SHORT_TEXT: usize = 64

/** The current table. */
let columns: usize = 0
let lastColumn: usize = 0
/** Bytes of the longest row that is not refused. */
let longestRow: u32 = 0

/** The current row: its next column, whether it has a key yet, and whether it has a field yet. */
let column: usize = 0
let hasKey: bool = false
let hasField: bool = false
/** Where the input begins. */
let inputStart: usize = 0
/** Where the row begins, in the input and in the output; 0 if that was in an earlier one. */
let rowInput: usize = 0
let rowOutput: usize = 0
/** Bytes of it that earlier calls have read. */
let carried: u32 = 0
/** Where the output of a value begins that is not written. */
let skipOutput: usize = 0
/** Rows that are complete, since the last call of takeRows(). */
let rows: u32 = 0

/** The first address that the host may use. */
export function freeMemory (): usize {
  // eslint-disable-next-line camelcase -- a name of the compiler
  return __heap_base
}

/** @param description `count` structures of the type Column */
export function startTable (description: usize, count: u32, rowLimit: u32): void {
  columns = description
  lastColumn = description + count * offsetof<Column>()
  longestRow = rowLimit
  rows = 0
  leaveRow()
}

/** Forgets the current row: read() continues with another one. */
export function leaveRow (): void {
  Reading.place = Place.row
  carried = 0
}

/** Sets where output is written. */
export function setOutput (start: usize, end: usize): void {
  Reading.output = start
  Reading.outputLimit = end - STEP
  rowOutput = 0
  skipOutput = start
}

export function inputPosition (): usize {
  return Reading.input
}

export function outputPosition (): usize {
  return Reading.output
}

export function isInRow (): bool {
  return Reading.place !== Place.row
}

export function rowInputPosition (): usize {
  return rowInput
}

export function rowOutputPosition (): usize {
  return rowOutput
}

/** Returns the number of rows that were completed since the last call. */
export function takeRows (): u32 {
  const count = rows
  rows = 0
  return count
}

/** Transcodes the input from `start` to `end`. */
export function read (start: usize, end: usize): Outcome {
  inputStart = start
  Reading.input = start
  Reading.inputEnd = end
  rowInput = 0
  const isCarried = isInRow()
  const outcome = readRows(isCarried)
  if (isInRow()) carried += <u32>(Reading.input - rowStart())
  if (isSkipping()) Reading.output = skipOutput
  return outcome
}

function readRows (isFirstCarried: bool): Outcome {
  let isCarried = isFirstCarried
  while (true) {
    if (Reading.place === Place.row) {
      const begun = beginRow()
      if (begun !== Outcome.done) return begun
    }
    if (Reading.place !== Place.separator) {
      const outcome = readRow()
      if (outcome !== Outcome.done) return outcome
    }
    const separated = readSeparator()
    if (separated !== Outcome.done || isCarried) return separated === Outcome.done ? Outcome.rowEnd : separated
    isCarried = false
  }
}

function beginRow (): Outcome {
  const from = skipSpace()
  carried = 0
  rowInput = from
  rowOutput = Reading.output
  if (from === Reading.inputEnd) return Outcome.inputUsed
  if (load<u8>(from) !== OPEN_BRACE) return Outcome.refused
  column = columns
  hasKey = false
  hasField = false
  return proceed(from + 1, Reading.output, Place.key)
}

function readSeparator (): Outcome {
  const from = skipSpace()
  if (from === Reading.inputEnd) return Outcome.inputUsed
  const byte: u32 = load<u8>(from)
  if (byte !== COMMA && byte !== CLOSE_BRACKET) return Outcome.refused
  rows++
  proceed(from + 1, Reading.output, Place.row)
  return byte === COMMA ? Outcome.done : Outcome.listEnd
}

function skipSpace (): usize {
  Reading.input = spaceEnd(Reading.input, Reading.inputEnd)
  return Reading.input
}

/** Whether a value is being read that is not written. */
function isSkipping (): bool {
  return Reading.place > Place.key && changetype<Column>(column).isSkipped
}

function readRow (): Outcome {
  while (true) {
    if (Reading.place === Place.key) {
      const outcome = readFields()
      if (outcome !== Outcome.done) return outcome
      if (column === lastColumn) return endRow()
    }
    const outcome = readValue()
    if (outcome === Outcome.done) endField()
    else if (outcome !== Outcome.outputFull || !isSkipping() || skipOutput > Reading.outputLimit) return outcome
    else Reading.output = skipOutput
  }
}

function endField (): void {
  if (isSkipping()) Reading.output = skipOutput
  column += offsetof<Column>()
  Reading.place = Place.key
}

function endRow (): Outcome {
  const from = Reading.input
  const to = Reading.output
  if (from === Reading.inputEnd) return Outcome.inputUsed
  if (to > Reading.outputLimit) return Outcome.outputFull
  if (load<u8>(from) !== CLOSE_BRACE || carried + <u32>(from + 1 - rowStart()) > longestRow) return Outcome.refused
  store<u8>(to, <u8>NEWLINE)
  return proceed(from + 1, to + 1, Place.separator)
}

/** Where the row begins in this input: at its start, if it began in an earlier one. */
function rowStart (): usize {
  return rowInput === 0 ? inputStart : rowInput
}

/**
 * Reads keys, and with them the short texts and numbers that most fields of most tables are, with all positions in
 * local variables. Stops behind the key of another value, or behind the last field.
 */
function readFields (): Outcome {
  let from = Reading.input
  let to = Reading.output
  let at = column
  while (at < lastColumn) {
    if (to > Reading.outputLimit) return leaveFields(at, from, to, Outcome.outputFull)
    const description = changetype<Column>(at)
    const matched = matchKey(description.key, description.keySize, hasKey ? 0 : 1, from)
    if (matched === Outcome.inputUsed) return leaveFields(at, from, to, matched)
    if (matched === Outcome.refused) {
      // In jsonb, an absent key is SQL NULL
      if (description.kind !== Kind.jsonb) return leaveFields(at, from, to, matched)
      if (!description.isSkipped) {
        to = writeTab(to)
        store<u16>(to, <u16>(BACKSLASH | UPPER_N << 8))
        to += 2
      }
      at += offsetof<Column>()
      continue
    }
    from += hasKey ? description.keySize : description.keySize - 1
    hasKey = true
    if (description.isSkipped) skipOutput = to
    else to = writeTab(to)
    stop(from, to, Outcome.done)
    if (!readShortValue(description)) {
      column = at
      return proceed(from, to, Place.value)
    }
    from = Reading.input
    if (!description.isSkipped) to = Reading.output
    at += offsetof<Column>()
  }
  return leaveFields(at, from, to, Outcome.done)
}

function leaveFields (at: usize, from: usize, to: usize, outcome: Outcome): Outcome {
  column = at
  return stop(from, to, outcome)
}

function writeTab (to: usize): usize {
  if (hasField) store<u8>(to++, <u8>TAB)
  hasField = true
  return to
}

/** Reads a short text without escapes, or a number. Returns false for any other value. */
function readShortValue (description: Column): bool {
  const from = Reading.input
  const end = Reading.inputEnd
  if (description.kind === Kind.number) {
    const numberTo = numberEnd(from)
    if (numberTo === 0 || numberTo >= end) return false
    writeNumber(from, numberTo)
    return true
  }
  return description.kind === Kind.text && from < end && load<u8>(from) === QUOTE && readShortText(from + 1, end)
}

function readShortText (start: usize, end: usize): bool {
  let from = start
  let to = Reading.output
  while (from + WIDTH < end && from - start < SHORT_TEXT) {
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const size = plainBytes(escapes(bytes), from, end)
    from += size
    to += size
    if (size === WIDTH) continue
    if (load<u8>(from) !== QUOTE) return false
    stop(from + 1, to, Outcome.done)
    return true
  }
  return false
}

/** Reads a value, or continues to. */
function readValue (): Outcome {
  const description = changetype<Column>(column)
  if (Reading.place === Place.value) {
    if (Reading.output > Reading.outputLimit) return Outcome.outputFull
    if (Reading.input === Reading.inputEnd) return Outcome.inputUsed
    const begun = beginValue(description)
    if (begun !== Outcome.done) return begun
  }
  switch (Reading.place) {
    case Place.valueEnd: return Outcome.done
    case Place.string: return copyString()
    case Place.nested:
    case Place.nestedString:
    case Place.nestedScalar: return copyEmbedded()
    default: return copyArray(description)
  }
}

function beginValue (description: Column): Outcome {
  const from = Reading.input
  const to = Reading.output
  const byte: u32 = load<u8>(from)
  const kind: Kind = description.kind
  if (kind === Kind.jsonb) return beginEmbedded()
  if (byte === LOWER_N) {
    const matched = matchNull(from)
    if (matched !== Outcome.done) return matched
    store<u16>(to, <u16>(BACKSLASH | UPPER_N << 8))
    return proceed(from + 4, to + 2, Place.valueEnd)
  }
  if (kind === Kind.number || kind === Kind.boolean) {
    const outcome = kind === Kind.number ? copyNumber() : copyBoolean()
    if (outcome === Outcome.done) Reading.place = Place.valueEnd
    return outcome
  }
  // Arrays with explicit bounds are strings: `[0:1]={a,b}`
  if (byte === QUOTE) return proceed(from + 1, to, Place.string)
  return kind === Kind.array ? beginArray() : Outcome.refused
}
