/**
 * Fields are read at fixed offsets, also beyond the closing quote: a quote is neither a digit nor a separator, so a
 * text that is too short is refused, and the 32 bytes behind the input can be read.
 */
import { COLON, isDigit, MINUS, PLUS, POINT, SPACE, ZERO } from './characters'
import { closingQuote, isInfinity, refuse, writeEight, writeFour } from './binary-value'

/** Bytes of `2000-12-31`. */
const DATE_SIZE: usize = 10
const MOST_PLACES: usize = 6
/** PostgreSQL's MAX_TZDISP_HOUR. */
const MOST_ZONE_HOURS: u32 = 15

/** Days from 0000-03-01 to 2000-01-01, PostgreSQL's epoch. */
const EPOCH: i32 = 730425
const SECOND: i64 = 1_000_000
export const HOUR: i64 = 3600 * SECOND
const DAY: i64 = 24 * HOUR

/** `infinity` in memory order, little-endian. */
const LOWER_INFINITY_WORD: u64 = <u64>0x7974696e << 32 | 0x69666e69

/** What was read last: days since the epoch, or microseconds. */
export class Time { static value: i64 = 0 }

/** The number of two digits. If they are none, one that makes any date or time too large. */
function two (at: usize): u32 {
  const first = <u32>load<u8>(at) - ZERO
  const second = <u32>load<u8>(at, 1) - ZERO
  return first < 10 && second < 10 ? first * 10 + second : 10_000
}

function daysOf (year: u32, month: u32): u32 {
  if (month === 2) return isLeap(year) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function isLeap (year: u32): bool {
  return (year & 3) === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/**
 * Reads a date of the years 1 to 9999 of the common era; others have another form. Counts days from the first of March,
 * so that a leap day is the last one of its year.
 */
function readDate (from: usize): bool {
  const year = two(from) * 100 + two(from + 2)
  const month = two(from + 5)
  const day = two(from + 8)
  if (year - 1 >= 9999 || month - 1 >= 12 || day - 1 >= daysOf(year, month)) return false
  if (load<u8>(from, 4) !== MINUS || load<u8>(from, 7) !== MINUS) return false
  const shifted = month <= 2 ? year - 1 : year
  const months = month <= 2 ? month + 9 : month - 3
  const leapDays = (shifted >> 2) - shifted / 100 + shifted / 400
  Time.value = <i64>(shifted * 365 + leapDays + (months * 153 + 2) / 5 + day - 1) - EPOCH
  return true
}

/** Reads a time of day, and returns the position after it, or 0. */
function readTime (from: usize): usize {
  const hour = two(from)
  if (hour > 23) return 0
  const end = readMinutesAndSeconds(from + 2)
  Time.value += <i64>hour * HOUR
  return end
}

/** Reads `:59:59.999999`, in microseconds, and returns the position after it, or 0. */
export function readMinutesAndSeconds (from: usize): usize {
  const minute = two(from + 1)
  const second = two(from + 4)
  if (minute > 59 || second > 59 || load<u8>(from) !== COLON || load<u8>(from, 3) !== COLON) return 0
  let at = from + 6
  let micros: u32 = 0
  if (load<u8>(at) === POINT) {
    const places = at + 1
    for (at = places; at - places < MOST_PLACES && isDigit(load<u8>(at)); at++) {
      micros = micros * 10 + load<u8>(at) - ZERO
    }
    if (at === places) return 0
    for (let missing = MOST_PLACES - (at - places); missing > 0; missing--) micros *= 10
  }
  Time.value = <i64>(minute * 60 + second) * SECOND + micros
  return at
}

/** Reads a zone, `+05`, `+05:30` or `+05:30:15`, in microseconds, and returns the position after it, or 0. */
function readZone (from: usize): usize {
  const sign: u32 = load<u8>(from)
  let seconds: u32 = two(from + 1) * 3600
  let at = from + 3
  if ((sign !== PLUS && sign !== MINUS) || seconds > MOST_ZONE_HOURS * 3600) return 0
  for (let unit: u32 = 60; unit > 0 && load<u8>(at) === COLON; unit = unit === 60 ? 1 : 0) {
    const value = two(at + 1)
    if (value > 59) return 0
    seconds += value * unit
    at += 3
  }
  Time.value = sign === PLUS ? <i64>seconds * SECOND : -<i64>seconds * SECOND
  return at
}

export function encodeDate (from: usize): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  if (isInfinity(from + 1, quote, LOWER_INFINITY_WORD)) {
    writeFour(load<u8>(from, 1) === MINUS ? i32.MIN_VALUE : i32.MAX_VALUE)
  } else {
    if (quote - from !== DATE_SIZE + 1 || !readDate(from + 1)) return refuse()
    writeFour(<u32>Time.value)
  }
  return quote + 1
}

export function encodeTime (from: usize): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  if (readTime(from + 1) !== quote) return refuse()
  writeEight(Time.value)
  return quote + 1
}

/** With a zone, which is subtracted, if `hasZone`. */
export function encodeTimestamp (from: usize, hasZone: bool): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  if (isInfinity(from + 1, quote, LOWER_INFINITY_WORD)) {
    writeEight(load<u8>(from, 1) === MINUS ? i64.MIN_VALUE : i64.MAX_VALUE)
    return quote + 1
  }
  const time = from + DATE_SIZE + 2
  if (!readDate(from + 1) || load<u8>(time - 1) !== SPACE) return refuse()
  let value = Time.value * DAY
  let at = readTime(time)
  if (at === 0) return refuse()
  value += Time.value
  if (hasZone) {
    at = readZone(at)
    value -= Time.value
  }
  if (at !== quote) return refuse()
  writeEight(value)
  return quote + 1
}
