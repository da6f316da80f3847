import { BACKSLASH, LOWER_U, QUOTE, SPACE, ZERO } from './characters'

/** The letters of the escapes of the bytes 8 to 13 in COPY text: b, t, n, v, f, r. JSON has all of them except v. */
const letters: usize = memory.data<u8>([0x62, 0x74, 0x6e, 0x76, 0x66, 0x72])
const FIRST_LETTER: u32 = 8
const LETTERS: u32 = 6
const VERTICAL_TAB: u32 = 0x0b

/** The byte that a backslash and `letter` stand for in COPY text. */
export function unescaped (letter: u32): u32 {
  for (let index: u32 = 0; index < LETTERS; index++) {
    if (load<u8>(letters + index) === letter) return FIRST_LETTER + index
  }
  return letter
}

/** Writes a backslash and `second` to `to`; returns the position after them, as all functions here do. */
export function writePair (to: usize, second: u32): usize {
  store<u16>(to, <u16>(BACKSLASH | second << 8))
  return to + 2
}

/** Writes \u00XX for a control character. */
export function writeControl (to: usize, byte: u32): usize {
  const low = byte & 15
  writePair(to, LOWER_U)
  store<u16>(to + 2, <u16>(ZERO | ZERO << 8))
  store<u8>(to + 4, <u8>(ZERO + (byte >> 4)))
  store<u8>(to + 5, <u8>(low < 10 ? ZERO + low : 0x61 - 10 + low))
  return to + 6
}

/** Writes a byte of a string, with the escape that JSON requires for it. */
export function writeCharacter (to: usize, byte: u32): usize {
  if (byte === QUOTE || byte === BACKSLASH) return writePair(to, byte)
  if (byte >= SPACE) {
    store<u8>(to, <u8>byte)
    return to + 1
  }
  const index = byte - FIRST_LETTER
  return index < LETTERS && byte !== VERTICAL_TAB ? writePair(to, load<u8>(letters + index)) : writeControl(to, byte)
}

/** Writes a byte as COPY TO writes it: a backslash and the control characters that have letters are escaped. */
export function writeEscaped (to: usize, byte: u32): usize {
  if (byte === BACKSLASH) return writePair(to, BACKSLASH)
  const index = byte - FIRST_LETTER
  if (index < LETTERS) return writePair(to, load<u8>(letters + index))
  store<u8>(to, <u8>byte)
  return to + 1
}
