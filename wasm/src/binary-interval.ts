import { COLON, isDigit, MINUS, PLUS, SPACE, ZERO } from './characters'
import { HOUR, readMinutesAndSeconds, Time } from './binary-times'
import { closingQuote, refuse } from './binary-value'
import { Reading } from './reading'

/** With up to this many hours, the microseconds fit into an i64. */
const MOST_HOURS: i64 = 2_000_000_000
const LONGEST_PART: usize = 10

/** The parts, in the order in which interval_out() writes them. */
const enum Unit { year, month, day, time }

/** Words in memory order, little-endian: `year`, and `mon` and `day` without the byte behind them. */
const YEAR_WORD: u32 = 0x72616579
const MONTH_WORD: u32 = 0x6e6f6d
const DAY_WORD: u32 = 0x796164
const LOWER_S: u32 = 0x73

/**
 * The part that was read last: its unit, its first byte, and the number in front of the unit, or the microseconds of a
 * time.
 */
class Part {
  static unit: Unit = Unit.year
  static sign: u32 = 0
  static value: i64 = 0
}

/**
 * Encodes an interval in the form of interval_out() with IntervalStyle = postgres, `-1 years +2 mons 3 days
 * -04:05:06.5`: its microseconds, days and months.
 */
export function encodeInterval (from: usize): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  let months: i64 = 0
  let days: i64 = 0
  let micros: i64 = 0
  let at = from + 1
  Part.sign = 0
  // Each part at most once, and in this order
  for (let expected = Unit.year; ; expected = Part.unit + 1) {
    const isAfterMinus = Part.sign === MINUS
    at = readPart(at)
    if (at === 0 || Part.unit < expected) return refuse()
    // With IntervalStyle = sql_standard, the minus would apply to this part, too. interval_out() writes a plus
    if (isAfterMinus && Part.sign !== MINUS && Part.sign !== PLUS) return refuse()
    if (Part.unit === Unit.year) months = 12 * Part.value
    else if (Part.unit === Unit.month) months += Part.value
    else if (Part.unit === Unit.day) days = Part.value
    else micros = Part.value
    if (at === quote) break
    if (Part.unit === Unit.time || load<u8>(at++) !== SPACE) return refuse()
  }
  if (months !== <i64><i32>months || days !== <i64><i32>days) return refuse()
  const to = Reading.output
  store<u32>(to, bswap<u32>(16))
  store<u64>(to, bswap<u64>(<u64>micros), 4)
  store<u32>(to, bswap<u32>(<u32>days), 12)
  store<u32>(to, bswap<u32>(<u32>months), 16)
  Reading.output = to + 20
  return quote + 1
}

/** Reads a part, and returns the position after it, or 0. */
function readPart (from: usize): usize {
  const sign: u32 = load<u8>(from)
  const first = sign === MINUS || sign === PLUS ? from + 1 : from
  let at = first
  let value: i64 = 0
  for (; at - first < LONGEST_PART && isDigit(load<u8>(at)); at++) value = value * 10 + load<u8>(at) - ZERO
  if (at === first) return 0
  if (load<u8>(at) === COLON) {
    at = readMinutesAndSeconds(at)
    if (value > MOST_HOURS) return 0
    value = value * HOUR + Time.value
    Part.unit = Unit.time
  } else {
    at = readUnit(at)
  }
  Part.sign = sign
  Part.value = sign === MINUS ? -value : value
  return at
}

/** Reads ` year`, ` mon` or ` day`, or its plural. */
function readUnit (from: usize): usize {
  const word: u32 = load<u32>(from, 1)
  let at: usize = from + 4
  if (load<u8>(from) !== SPACE) return 0
  if (word === YEAR_WORD) {
    Part.unit = Unit.year
    at++
  } else if ((word & 0xffffff) === MONTH_WORD) {
    Part.unit = Unit.month
  } else if ((word & 0xffffff) === DAY_WORD) {
    Part.unit = Unit.day
  } else {
    return 0
  }
  return load<u8>(at) === LOWER_S ? at + 1 : at
}
