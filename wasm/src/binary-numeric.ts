import { digitsEnd, isDigit, MINUS, POINT, ZERO } from './characters'
import { closingQuote, INFINITY_WORD, isInfinity, isNotANumber, refuse, writeLength } from './binary-value'
import { Reading } from './reading'

/** Longer ones are refused: one of this length has at most 104 bytes, which is less than STEP (rows-to-binary.ts). */
const LONGEST_NUMERIC: usize = 180

/** Signs of numeric_recv(). */
const POSITIVE: u32 = 0x0000
const NEGATIVE: u32 = 0x4000
const NAN_SIGN: u32 = 0xc000
const INFINITY_SIGN: u32 = 0xd000
const NEGATIVE_INFINITY_SIGN: u32 = 0xf000

/** Base-10000 digits that are written, without the zeros in front of them and after them. */
class Groups {
  static count: i32 = 0
  /** The weight of the next one, as a power of 10,000. */
  static weight: i32 = 0
  /** The end of those that are not zero. */
  static end: usize = 0
  static to: usize = 0
}

/**
 * Encodes a decimal number as numeric_recv() reads it: the number of base-10000 digits, the weight of the first one,
 * the sign, the number of decimal places, the digits.
 */
export function encodeNumeric (from: usize): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  const start = Reading.output
  const isNegative = load<u8>(from, 1) === MINUS
  const first = isNegative ? from + 2 : from + 1
  if (!isDigit(load<u8>(first))) return encodeSpecial(from + 1, quote)
  const point = digitsEnd(first, quote)
  const places = point === quote ? 0 : quote - point - 1
  const whole = point - first
  if (whole + places > LONGEST_NUMERIC) return refuse()
  if (point !== quote && (load<u8>(point) !== POINT || places === 0 || digitsEnd(point + 1, quote) !== quote)) {
    return refuse()
  }
  Groups.count = 0
  Groups.to = start + 12
  Groups.end = Groups.to
  Groups.weight = <i32>((whole + 3) >> 2) - 1
  const firstSize = whole & 3
  if (firstSize > 0) addGroup(valueOf(first, firstSize))
  for (let at = first + firstSize; at < point; at += 4) addGroup(valueOf(at, 4))
  for (let at = point + 1; at < quote; at += 4) addGroup(valueOfPlaces(at, quote))
  const count = <i32>((Groups.end - start - 12) >> 1)
  // addGroup() has lowered the weight once for each digit, so this is the weight of the first one
  writeHead(start, count, count === 0 ? 0 : Groups.weight + Groups.count,
    isNegative && count > 0 ? NEGATIVE : POSITIVE, <u32>places)
  Reading.output = Groups.end
  writeLength(start)
  return quote + 1
}

function valueOf (from: usize, size: usize): u32 {
  let value: u32 = 0
  for (let at: usize = 0; at < size; at++) value = value * 10 + load<u8>(from + at) - ZERO
  return value
}

/** Decimal places that are missing are zeros. */
function valueOfPlaces (from: usize, end: usize): u32 {
  if (from + 4 <= end) return valueOf(from, 4)
  let value = valueOf(from, end - from)
  for (let missing = 4 - (end - from); missing > 0; missing--) value *= 10
  return value
}

function addGroup (value: u32): void {
  Groups.weight--
  if (Groups.count === 0 && value === 0) return
  store<u16>(Groups.to, bswap<u16>(<u16>value))
  Groups.to += 2
  Groups.count++
  if (value > 0) Groups.end = Groups.to
}

function writeHead (start: usize, count: i32, weight: i32, sign: u32, places: u32): void {
  store<u16>(start, bswap<u16>(<u16>count), 4)
  store<u16>(start, bswap<u16>(<u16>weight), 6)
  store<u16>(start, bswap<u16>(<u16>sign), 8)
  store<u16>(start, bswap<u16>(<u16>places), 10)
}

function encodeSpecial (from: usize, quote: usize): usize {
  const start = Reading.output
  let sign: u32
  if (isNotANumber(from, quote)) sign = NAN_SIGN
  else if (!isInfinity(from, quote, INFINITY_WORD)) return refuse()
  else sign = load<u8>(from) === MINUS ? NEGATIVE_INFINITY_SIGN : INFINITY_SIGN
  writeHead(start, 0, 0, sign, 0)
  Reading.output = start + 12
  writeLength(start)
  return quote + 1
}
