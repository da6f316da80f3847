import { CLOSE_BRACKET, COMMA, LOWER_N, OPEN_BRACKET } from './characters'
import { BinaryColumn } from './binary-column'
import { encodeScalar } from './binary-scalar'
import { encodeNull, refuse, stopFor, writeLength } from './binary-value'
import { DEEPEST } from './json-array'
import { Outcome, Reading } from './reading'

/**
 * For each dimension: the elements of its current array so far, and the length of all its arrays, 0 if not known yet.
 * One more than DEEPEST is stored before it is refused.
 */
const counts: usize = memory.data(32)
const sizes: usize = memory.data(32)

/**
 * Encodes an array as array_recv() reads it: the number of dimensions, whether there are NULLs, the type of the
 * elements, for each dimension its size and lower bound, the elements. The lower bounds are 1: an array with others is
 * a string in JSON, and refused.
 */
export function encodeArray (column: BinaryColumn, from: usize): usize {
  const start = Reading.output
  const dimensions = dimensionsOf(from)
  if (dimensions === 0) return 0
  store<u64>(start, 0, 4)
  store<u32>(start, column.elementType, 12)
  if (load<u8>(from, 1) === CLOSE_BRACKET) {
    Reading.output = start + 16
    writeLength(start)
    return from + 2
  }
  store<u32>(start, bswap<u32>(<u32>dimensions), 4)
  Reading.output = start + 16 + 8 * dimensions
  const end = encodeElements(column, from + dimensions, dimensions, start + 8)
  if (end === 0) return 0
  for (let level: usize = 0; level < dimensions; level++) {
    const at = start + 16 + 8 * level
    store<u32>(at, bswap<u32>(load<u32>(sizes + 4 * level)))
    store<u32>(at, bswap<u32>(1), 4)
  }
  writeLength(start)
  return end
}

/** The brackets at `from`. Returns 0 if they are not complete, none or too many. */
function dimensionsOf (from: usize): usize {
  let at = from
  while (at < Reading.inputEnd && load<u8>(at) === OPEN_BRACKET) {
    store<u32>(counts + 4 * (at - from), 0)
    store<u32>(sizes + 4 * (at - from), 0)
    if (++at - from > DEEPEST) return refuse()
  }
  if (at === Reading.inputEnd) return stopFor(Outcome.inputUsed)
  return at === from ? refuse() : at - from
}

/** @param hasNull where it is written whether there are NULLs */
function encodeElements (column: BinaryColumn, start: usize, dimensions: usize, hasNull: usize): usize {
  let from = start
  while (true) {
    from = encodeElement(column, from, hasNull)
    if (from === 0) return 0
    let level = dimensions - 1
    store<u32>(counts + 4 * level, load<u32>(counts + 4 * level) + 1)
    while (true) {
      if (from === Reading.inputEnd) return stopFor(Outcome.inputUsed)
      if (load<u8>(from) !== CLOSE_BRACKET) break
      if (!closeDimension(level)) return refuse()
      from++
      if (level === 0) return from
      level--
      store<u32>(counts + 4 * level, load<u32>(counts + 4 * level) + 1)
    }
    if (load<u8>(from++) !== COMMA) return refuse()
    for (; level < dimensions - 1; level++) {
      if (from === Reading.inputEnd) return stopFor(Outcome.inputUsed)
      if (load<u8>(from++) !== OPEN_BRACKET) return refuse()
    }
  }
}

/** All arrays of a dimension have the same size. */
function closeDimension (level: usize): bool {
  const count = load<u32>(counts + 4 * level)
  const size = load<u32>(sizes + 4 * level)
  store<u32>(sizes + 4 * level, count)
  store<u32>(counts + 4 * level, 0)
  return size === 0 || size === count
}

function encodeElement (column: BinaryColumn, from: usize, hasNull: usize): usize {
  if (from === Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (Reading.output > Reading.outputLimit) return stopFor(Outcome.outputFull)
  if (load<u8>(from) !== LOWER_N) return encodeScalar(column.element, from)
  store<u32>(hasNull, bswap<u32>(1))
  return encodeNull(from)
}
