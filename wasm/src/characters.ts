export const TAB: u32 = 0x09
export const NEWLINE: u32 = 0x0a
export const QUOTE: u32 = 0x22
export const COMMA: u32 = 0x2c
export const MINUS: u32 = 0x2d
export const ZERO: u32 = 0x30
export const UPPER_N: u32 = 0x4e
export const OPEN_BRACKET: u32 = 0x5b
export const BACKSLASH: u32 = 0x5c
export const CLOSE_BRACKET: u32 = 0x5d
export const LOWER_D: u32 = 0x64
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

/** Whether a text that begins with these bytes is a number, and not NaN or an infinity. */
export function isNumber (first: u32, second: u32): bool {
  return isDigit(first) || (first === MINUS && isDigit(second))
}
