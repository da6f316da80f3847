import { FALSE_WORD, isDigit, LOWER_E, LOWER_T, MINUS, POINT, QUOTE, TRUE_WORD, ZERO } from './characters'
import {
  after, closingQuote, INFINITY_WORD, isInfinity, isNotANumber, refuse, stopFor, writeEight, writeFour
} from './binary-value'
import { matchWord, numberEnd } from './json-scalars'
import { Outcome, Reading } from './reading'

/** Digits that an u64 can always hold. */
const U64_DIGITS: usize = 19
/** An f64 holds integers up to this one exactly, and these powers of ten. */
const LARGEST_EXACT: u64 = 1 << 53
const LARGEST_POWER: i32 = 22
const powers: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22
])

/** The bits of an f64's fraction that an f32 does not have. */
const LOW_BITS: u64 = 0x1fffffff

/** The text of these bytes as a number, rounded to the nearest one, which the host computes. */
declare function parseNumber (start: usize, size: usize): f64

export function encodeBoolean (from: usize): usize {
  const isTrue = load<u8>(from) === LOWER_T
  const size: usize = isTrue ? 4 : 5
  const matched = matchWord(from, isTrue ? TRUE_WORD : FALSE_WORD, size)
  store<u32>(Reading.output, bswap<u32>(1))
  store<u8>(Reading.output, isTrue ? 1 : 0, 4)
  Reading.output += 5
  return after(matched, from + size)
}

/** Digits, and the number that they are. */
class Digits { static value: u64 = 0 }

/** Reads up to U64_DIGITS digits, and returns the position after them. No column continues with another one there. */
function readDigits (from: usize): usize {
  const end = min(Reading.inputEnd, from + U64_DIGITS)
  let at = from
  let value: u64 = 0
  while (at < end) {
    const digit: u32 = <u32>load<u8>(at) - ZERO
    if (digit > 9) break
    value = value * 10 + digit
    at++
  }
  Digits.value = value
  return at
}

/**
 * Reads an integer from `-limit - 1` to `limit`; Digits.value is its two's complement. JSON has no zeros in front of an
 * integer.
 */
function readInteger (from: usize, limit: u64): usize {
  const isNegative = load<u8>(from) === MINUS
  const first = isNegative ? from + 1 : from
  const at = readDigits(first)
  if (at >= Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (at === first || (load<u8>(first) === ZERO && at - first > 1)) return refuse()
  if (Digits.value > (isNegative ? limit + 1 : limit)) return refuse()
  if (isNegative) Digits.value = 0 - Digits.value
  return at
}

export function encodeInt2 (from: usize): usize {
  const at = readInteger(from, i16.MAX_VALUE)
  store<u32>(Reading.output, bswap<u32>(2))
  store<u16>(Reading.output, bswap<u16>(<u16>Digits.value), 4)
  Reading.output += 6
  return at
}

export function encodeInt4 (from: usize): usize {
  const at = readInteger(from, i32.MAX_VALUE)
  writeFour(<u32>Digits.value)
  return at
}

/** A string, since JSON.parse() would round it. */
export function encodeInt8 (from: usize): usize {
  if (load<u8>(from) !== QUOTE) return refuse()
  const at = readInteger(from + 1, i64.MAX_VALUE)
  writeEight(Digits.value)
  if (at === 0) return 0
  return load<u8>(at) === QUOTE ? at + 1 : refuse()
}

/** Reads a number, or "NaN", "Infinity" or "-Infinity". */
function readFloat (from: usize): usize {
  if (load<u8>(from) === QUOTE) return readNonFinite(from)
  const end = numberEnd(from)
  if (end === 0) return refuse()
  if (end >= Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (!readShortDecimal(from, end)) Float.value = parseNumber(from, end - from)
  // Refused, so that the server reports a number that is out of range
  if (isInfinite(Float.value) || (Float.value === 0 && !isZero(from, end))) return refuse()
  return end
}

class Float { static value: f64 = 0 }

function isInfinite (value: f64): bool {
  return abs(value) === Infinity
}

/** Whether all digits in front of an exponent are zeros. */
function isZero (from: usize, end: usize): bool {
  for (let at = from; at < end && (load<u8>(at) | 0x20) !== LOWER_E; at++) {
    if (load<u8>(at) - 0x31 < 9) return false
  }
  return true
}

/**
 * Reads digits with a point among them. A quotient of two exact numbers is rounded correctly (Clinger, How to Read
 * Floating Point Numbers Accurately). Returns false for other numbers.
 */
function readShortDecimal (from: usize, end: usize): bool {
  let at = load<u8>(from) === MINUS ? from + 1 : from
  const isNegative = at !== from
  let value: u64 = 0
  let scale: i32 = 0
  let hasPoint = false
  if (end - at > U64_DIGITS) return false
  for (; at < end; at++) {
    const byte: u32 = load<u8>(at)
    if (isDigit(byte)) {
      value = value * 10 + (byte - ZERO)
      if (hasPoint) scale++
    } else if (byte === POINT) {
      hasPoint = true
    } else {
      return false
    }
  }
  if (value > LARGEST_EXACT || scale > LARGEST_POWER) return false
  const exact = <f64>value / load<f64>(powers + (<usize>scale << 3))
  Float.value = isNegative ? -exact : exact
  return true
}

function readNonFinite (from: usize): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  if (isNotANumber(from + 1, quote)) Float.value = NaN
  else if (!isInfinity(from + 1, quote, INFINITY_WORD)) return refuse()
  else Float.value = load<u8>(from, 1) === MINUS ? -Infinity : Infinity
  return quote + 1
}

export function encodeFloat8 (from: usize): usize {
  const at = readFloat(from)
  // Of the many NaN, the one that the server writes
  writeEight(isNaN(Float.value) ? <u64>0x7ff8 << 48 : reinterpret<u64>(Float.value))
  return at
}

/**
 * Refuses a number that rounding twice, to f64 and then to f32, could change: its f64 is halfway between two f32, or it
 * is subnormal in f32. Refuses what rounds to infinity, which the server reports.
 */
export function encodeFloat4 (from: usize): usize {
  const at = readFloat(from)
  if (at === 0) return 0
  const value = Float.value
  if (isNaN(value)) {
    writeFour(0x7fc00000)
    return at
  }
  const size = abs(value)
  const rounded = <f32>value
  const isHalfway = (reinterpret<u64>(value) & LOW_BITS) === (LOW_BITS >> 1) + 1
  if (isHalfway || (size > 0 && size < <f64>f32.MIN_NORMAL_VALUE)) return refuse()
  if (size !== Infinity && isInfinite(<f64>rounded)) return refuse()
  writeFour(reinterpret<u32>(rounded))
  return at
}
