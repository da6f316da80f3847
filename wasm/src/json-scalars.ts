import {
  digitsEnd, FALSE_WORD, isDigit, LOWER_E, LOWER_T, MINUS, NULL_WORD, PLUS, POINT, QUOTE, TRUE_WORD, UPPER_N, ZERO
} from './characters'
import { Outcome, Reading, stop } from './reading'

/** No number of PostgreSQL is longer: -1.7976931348623157e+308. */
const LONGEST_NUMBER: usize = 32

/** Words in memory order, little-endian. */
const NOT_A_NUMBER: u64 = 0x224e614e22
const INFINITY: u64 = <u64>0x74696e69 << 32 | 0x666e4922
const INFINITY_TAIL: u64 = 0x2279

/** Whether the first bytes at `from`, `size` of them, 8 at most, are those of `word`, as far as they have arrived. */
export function matchWord (from: usize, word: u64, size: usize): Outcome {
  const available = min(size, Reading.inputEnd - from)
  const mask: u64 = available === 8 ? u64.MAX_VALUE : (<u64>1 << <u64>(available << 3)) - 1
  if (((load<u64>(from) ^ word) & mask) !== 0) return Outcome.refused
  return available === size ? Outcome.done : Outcome.inputUsed
}

export function matchNull (from: usize): Outcome {
  return matchWord(from, NULL_WORD, 4)
}

/** Copies `true` or `false` as `t` or `f`. */
export function copyBoolean (): Outcome {
  const from = Reading.input
  const byte: u32 = load<u8>(from)
  const isTrue = byte === LOWER_T
  const matched = matchWord(from, isTrue ? TRUE_WORD : FALSE_WORD, isTrue ? 4 : 5)
  if (matched !== Outcome.done) return matched
  store<u8>(Reading.output, <u8>byte)
  return stop(from + (isTrue ? 4 : 5), Reading.output + 1, Outcome.done)
}

/** Copies a number, or "NaN", "Infinity" or "-Infinity". */
export function copyNumber (): Outcome {
  const from = Reading.input
  if (load<u8>(from) === QUOTE) return copyNonFinite()
  const end = numberEnd(from)
  if (end === 0) return Outcome.refused
  if (end >= Reading.inputEnd) return Outcome.inputUsed
  return writeNumber(from, end)
}

export function writeNumber (from: usize, end: usize): Outcome {
  const to = Reading.output
  v128.store(to, v128.load(from))
  v128.store(to, v128.load(from, 16), 16)
  return stop(end, to + (end - from), Outcome.done)
}

/**
 * The position after the number at `from` (RFC 8259, section 6), or the end of the input or a position after it if the
 * number may continue there. 0 if there is none, or one that PostgreSQL does not write.
 */
export function numberEnd (from: usize): usize {
  const at = jsonNumberEnd(from)
  return at > from + LONGEST_NUMBER ? 0 : at
}

function jsonNumberEnd (from: usize): usize {
  const end = Reading.inputEnd
  let at = from
  if (at < end && load<u8>(at) === MINUS) at++
  if (at === end) return end
  const first: u32 = load<u8>(at)
  if (!isDigit(first)) return 0
  at = first === ZERO ? at + 1 : digitsEnd(at, end)
  if (at < end && load<u8>(at) === POINT) {
    if (++at === end) return end
    if (!isDigit(load<u8>(at))) return 0
    at = digitsEnd(at, end)
  }
  if (at < end && (load<u8>(at) | 0x20) === LOWER_E) {
    if (++at === end) return end
    const sign: u32 = load<u8>(at)
    if ((sign === PLUS || sign === MINUS) && ++at === end) return end
    if (!isDigit(load<u8>(at))) return 0
    at = digitsEnd(at, end)
  }
  return at
}

function copyNonFinite (): Outcome {
  const from = Reading.input
  if (from + 1 === Reading.inputEnd) return Outcome.inputUsed
  const second: u32 = load<u8>(from + 1)
  if (second === UPPER_N) {
    const matched = matchWord(from, NOT_A_NUMBER, 5)
    return matched === Outcome.done ? writeBetweenQuotes(from, 3) : matched
  }
  // "-Infinity" is "Infinity" with a minus after the quote
  const minus: usize = second === MINUS ? 1 : 0
  const matched = minus === 0
    ? matchWord(from, INFINITY, 8)
    : matchWord(from + 1, INFINITY & ~(<u64>0xff) | <u64>MINUS, 8)
  if (matched !== Outcome.done) return matched
  const tail = from + 8 + minus
  const ended = tail === Reading.inputEnd ? Outcome.inputUsed : matchWord(tail, INFINITY_TAIL, 2)
  return ended === Outcome.done ? writeBetweenQuotes(from, 8 + minus) : ended
}

function writeBetweenQuotes (from: usize, size: usize): Outcome {
  const to = Reading.output
  v128.store(to, v128.load(from + 1))
  return stop(from + size + 2, to + size, Outcome.done)
}
