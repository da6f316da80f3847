/**
 * Text, four bytes at a time: one byte at a time takes three times as long. A word is what DataView reads as a
 * little-endian Int32, from any position. The tests for bytes within a word are Mycroft's. They are exact up to the
 * lowest byte that is found, and only that one is used (Warren, Hacker's Delight, 6-1).
 */
export const wordSize = 4

const highBits = 0x80808080 | 0
const ones = 0x01010101
const firstPrintable = 0x20202020

/** A word with the byte at all four positions. */
export const wordOf = (byte: number): number => byte * ones

/** Marks the bytes below 0x20; returns 0 when there is none. */
export const marksOfControls = (word: number): number => (word - firstPrintable) & ~word & highBits

/** Marks the bytes that are equal to those of `pattern`; returns 0 when there is none. */
export function marksOf (word: number, pattern: number): number {
  const difference = word ^ pattern
  return (difference - ones) & ~difference & highBits
}

/** The number of bytes before the first marked one. */
export const bytesBefore = (marks: number): number => (31 - Math.clz32(marks & -marks)) >> 3

/** The byte of a word at the index 0 to 3. */
export const byteOf = (word: number, index: number): number => (word >>> (index << 3)) & 0xff

/**
 * A short constant, not empty, to write and compare by words. The last word is padded with NUL, which `lastMask` masks
 * out.
 */
export interface Words { size: number, words: Int32Array, lastMask: number }

export function toWords (text: string): Words {
  const bytes = Buffer.from(text)
  const padded = Buffer.alloc(Math.ceil(bytes.length / wordSize) * wordSize)
  bytes.copy(padded)
  const rest = bytes.length % wordSize
  return {
    size: bytes.length,
    lastMask: rest === 0 ? -1 : (1 << (rest << 3)) - 1,
    words: Int32Array.from({ length: padded.length / wordSize }, (_, index) => padded.readInt32LE(index * wordSize))
  }
}

/** Bytes, to read one at a time and by words. */
export class WordView {
  readonly bytes: Buffer
  readonly view: DataView

  constructor (bytes: Buffer) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}
