/**
 * Transcodes rows of JSON to COPY BINARY (PostgreSQL manual, COPY, "Binary Format"), of which PostgreSQL reads most
 * types faster than text. Takes rows as the writer formats them only, in a list whose opening bracket was read, and
 * refuses all others, and those with a value that its encoder refuses: the host writes them as text. The calling side
 * is lib/snapshot/codec/rows-to-binary.ts.
 *
 * The length of a value precedes it and is known only after it. So a row is written completely or not at all.
 *
 * 32 readable bytes must follow the input, and 32 writable ones the output: both are processed by vectors.
 */
import { CLOSE_BRACE, CLOSE_BRACKET, COMMA, LOWER_N, OPEN_BRACE, spaceEnd } from './characters'
import { encodeArray } from './binary-array'
import { BinaryColumn, Encoder } from './binary-column'
import { encodeScalar } from './binary-scalar'
import { encodeNull, refuse, Stop, stopFor, writeNull } from './binary-value'
import { matchKey } from './keys'
import { Outcome, Reading } from './reading'

/** A step, which is what is written between two comparisons with the limit, has up to this many bytes. */
const STEP: usize = 128

/** The current table. */
let columns: usize = 0
let lastColumn: usize = 0
let fields: u32 = 0
/** Bytes of the longest row that is not refused. */
let longestRow: usize = 0

/** Rows that are complete, since the last call of takeRows(). */
let rows: u32 = 0

/** The first address that the host may use. */
export function freeMemory (): usize {
  // eslint-disable-next-line camelcase -- a name of the compiler
  return __heap_base
}

/** @param description `count` structures of the type BinaryColumn */
export function startTable (description: usize, count: u32, rowLimit: u32): void {
  columns = description
  lastColumn = description + count * offsetof<BinaryColumn>()
  fields = count
  longestRow = rowLimit
  rows = 0
}

/** Sets where output is written. */
export function setOutput (start: usize, end: usize): void {
  Reading.output = start
  Reading.outputLimit = end - STEP
}

export function inputPosition (): usize {
  return Reading.input
}

export function outputPosition (): usize {
  return Reading.output
}

/** Returns the number of rows that were completed since the last call. */
export function takeRows (): u32 {
  const count = rows
  rows = 0
  return count
}

/** Transcodes the input from `start` to `end`. The positions afterwards are those behind the last complete row. */
export function read (start: usize, end: usize): Outcome {
  Reading.input = start
  Reading.inputEnd = end
  while (true) {
    const output = Reading.output
    const next = readRow(start)
    if (next === 0) {
      Reading.output = output
      return Stop.outcome
    }
    start = next
    Reading.input = start
    rows++
    if (load<u8>(start - 1) === CLOSE_BRACKET) return Outcome.listEnd
  }
}

/** Reads a row and what separates it from the next one. */
function readRow (start: usize): usize {
  const brace = spaceEnd(start, Reading.inputEnd)
  if (brace === Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (load<u8>(brace) !== OPEN_BRACE) return refuse()
  if (Reading.output > Reading.outputLimit) return stopFor(Outcome.outputFull)
  store<u16>(Reading.output, bswap<u16>(<u16>fields))
  Reading.output += 2
  const end = readFields(brace + 1)
  if (end === 0) return 0
  if (end === Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (load<u8>(end) !== CLOSE_BRACE || end + 1 - brace > longestRow) return refuse()
  const separator = spaceEnd(end + 1, Reading.inputEnd)
  if (separator === Reading.inputEnd) return stopFor(Outcome.inputUsed)
  const byte: u32 = load<u8>(separator)
  return byte === COMMA || byte === CLOSE_BRACKET ? separator + 1 : refuse()
}

function readFields (start: usize): usize {
  let from = start
  // The comma, which the first key does not have
  let omitted: usize = 1
  for (let at = columns; at < lastColumn; at += offsetof<BinaryColumn>()) {
    const column = changetype<BinaryColumn>(at)
    if (Reading.output > Reading.outputLimit) return stopFor(Outcome.outputFull)
    const matched = matchKey(column.key, column.keySize, omitted, from)
    if (matched === Outcome.refused && column.encoder === Encoder.jsonb) {
      // In jsonb, an absent key is SQL NULL
      writeNull()
      continue
    }
    if (matched !== Outcome.done) return stopFor(matched)
    from = readValue(column, from + column.keySize - omitted)
    if (from === 0) return 0
    omitted = 0
  }
  return from
}

function readValue (column: BinaryColumn, from: usize): usize {
  if (from === Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (load<u8>(from) !== LOWER_N || column.encoder === Encoder.jsonb) {
    return column.encoder === Encoder.array ? encodeArray(column, from) : encodeScalar(column.encoder, from)
  }
  return encodeNull(from)
}
