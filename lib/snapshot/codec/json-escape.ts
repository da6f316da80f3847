const BACKSLASH = 0x5c
const ZERO = 0x30
const LOWER_U = 0x75

const hexDigits = Buffer.from('0123456789abcdef')

/** The length of the longest escape of a byte, \u00XX. */
export const longestEscape = 6

/** Writes a backslash and `second`, and returns the new length. */
export function writePair (bytes: Uint8Array, length: number, second: number): number {
  bytes[length] = BACKSLASH
  bytes[length + 1] = second
  return length + 2
}

/** Writes \u00XX, for a control character that has no shorter escape, and returns the new length. */
export function writeControl (bytes: Uint8Array, length: number, byte: number): number {
  bytes[length] = BACKSLASH
  bytes[length + 1] = LOWER_U
  bytes[length + 2] = ZERO
  bytes[length + 3] = ZERO
  bytes[length + 4] = hexDigits[byte >> 4] as number
  bytes[length + 5] = hexDigits[byte & 15] as number
  return length + 6
}
