export const TAB: u32 = 0x09
export const NEWLINE: u32 = 0x0a
export const QUOTE: u32 = 0x22
export const PLUS: u32 = 0x2b
export const COMMA: u32 = 0x2c
export const MINUS: u32 = 0x2d
export const POINT: u32 = 0x2e
export const ZERO: u32 = 0x30
export const COLON: u32 = 0x3a
export const UPPER_N: u32 = 0x4e
export const OPEN_BRACKET: u32 = 0x5b
export const BACKSLASH: u32 = 0x5c
export const CLOSE_BRACKET: u32 = 0x5d
export const LOWER_D: u32 = 0x64
export const LOWER_E: u32 = 0x65
export const LOWER_N: u32 = 0x6e
export const LOWER_T: u32 = 0x74
export const LOWER_U: u32 = 0x75
export const LOWER_V: u32 = 0x76
export const OPEN_BRACE: u32 = 0x7b
export const CLOSE_BRACE: u32 = 0x7d

/** The first byte that is not a control character. */
export const SPACE: u32 = 0x20

/** Words in memory order, little-endian. */
export const NULL_WORD: u32 = 0x6c6c756e
export const UPPER_NULL_WORD: u32 = 0x4c4c554e
export const TRUE_WORD: u32 = 0x65757274
export const FALSE_WORD: u64 = 0x65736c6166

export function isDigit (byte: u32): bool {
  return byte - ZERO < 10
}

/** The position after the digits at `from`, at most `end`. */
export function digitsEnd (from: usize, end: usize): usize {
  let at = from
  while (at < end && isDigit(load<u8>(at))) at++
  return at
}

export function isSpace (byte: u32): bool {
  return byte === SPACE || byte === NEWLINE || byte === 0x0d || byte === TAB
}

/** The position after the white space at `from`, at most `end`. */
export function spaceEnd (from: usize, end: usize): usize {
  let at = from
  while (at < end && isSpace(load<u8>(at))) at++
  return at
}

/** Whether a text that begins with these bytes is a number, and not NaN or an infinity. */
export function isNumber (first: u32, second: u32): bool {
  return isDigit(first) || (first === MINUS && isDigit(second))
}
