import { MINUS, QUOTE } from './characters'
import { closingQuote, refuse, stopFor, writeLength } from './binary-value'
import { Outcome, Reading } from './reading'
import { WIDTH } from './vectors'

/** The values of lower-case hexadecimal digits; any other byte becomes a number above 15. */
function hexValues (bytes: v128): v128 {
  const decimal = i8x16.sub(bytes, i8x16.splat(0x30))
  const letter = i8x16.sub(bytes, i8x16.splat(0x57))
  const isLetter = v128.and(i8x16.ge_u(letter, i8x16.splat(10)), i8x16.le_u(letter, i8x16.splat(15)))
  const other = v128.bitselect(letter, i8x16.splat(-1), isLetter)
  return v128.bitselect(decimal, other, i8x16.le_u(decimal, i8x16.splat(9)))
}

function areHex (values: v128): bool {
  return i8x16.all_true(i8x16.le_u(values, i8x16.splat(15)))
}

/** Joins neighboring values to eight bytes in lanes of 16 bits. */
function joinPairs (values: v128): v128 {
  const high = i16x8.shl(v128.and(values, i16x8.splat(0xff)), 4)
  return v128.or(high, i16x8.shr_u(values, 8))
}

/** Bytes of a UUID with both quotes. */
const UUID_SIZE: usize = 38

/** Encodes a UUID in the form of uuid_out(). */
export function encodeUuid (from: usize): usize {
  const quote = closingQuote(from)
  if (quote === 0) return 0
  if (quote + 1 !== from + UUID_SIZE) return refuse()
  const text = from + 1
  const first = v128.load(text)
  const second = v128.load(text, 16)
  const third = v128.load(text, 20)
  // All but the hyphens. The third vector begins at byte 20, since the text has 36 bytes
  const high = hexValues(v128.shuffle<u8>(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17))
  const low = hexValues(v128.shuffle<u8>(second, third, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 28, 29, 30, 31))
  if (!areHex(high) || !areHex(low)) return refuse()
  if (load<u8>(text, 8) !== MINUS || load<u8>(text, 13) !== MINUS) return refuse()
  if (load<u8>(text, 18) !== MINUS || load<u8>(text, 23) !== MINUS) return refuse()
  store<u32>(Reading.output, bswap<u32>(16))
  v128.store(Reading.output, i8x16.narrow_i16x8_u(joinPairs(high), joinPairs(low)), 4)
  Reading.output += 20
  return quote + 1
}

/** `"\\x` in memory order, little-endian. */
const HEX_PREFIX: u32 = 0x785c5c22

/** Encodes the hexadecimal form of byteaout(). */
export function encodeBytea (from: usize): usize {
  const start = Reading.output
  if (from + 5 > Reading.inputEnd) return stopFor(Outcome.inputUsed)
  if (load<u32>(from) !== HEX_PREFIX) return refuse()
  const end = copyHex(from + 4, start + 4)
  writeLength(start)
  return end
}

function copyHex (start: usize, output: usize): usize {
  let from = start
  let to = output
  const end = Reading.inputEnd
  while (true) {
    if (to > Reading.outputLimit) return stopFor(Outcome.outputFull)
    if (from + 2 * WIDTH <= end) {
      const high = hexValues(v128.load(from))
      const low = hexValues(v128.load(from, 16))
      if (areHex(high) && areHex(low)) {
        v128.store(to, i8x16.narrow_i16x8_u(joinPairs(high), joinPairs(low)))
        from += 2 * WIDTH
        to += WIDTH
        continue
      }
    }
    if (from === end) return stopFor(Outcome.inputUsed)
    if (load<u8>(from) === QUOTE) {
      Reading.output = to
      return from + 1
    }
    if (from + 2 > end) return stopFor(Outcome.inputUsed)
    const high = digitOf(load<u8>(from))
    const low = digitOf(load<u8>(from, 1))
    if (high > 15 || low > 15) return refuse()
    store<u8>(to++, <u8>(high << 4 | low))
    from += 2
  }
}

function digitOf (byte: u32): u32 {
  const decimal = byte - 0x30
  if (decimal < 10) return decimal
  const letter = byte - 0x61
  return letter < 6 ? letter + 10 : 16
}
