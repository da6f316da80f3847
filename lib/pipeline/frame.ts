/**
 * A part of a compressed file that can be decompressed by itself: a member of gzip (RFC 1952, 2.2) or a frame of
 * Zstandard (RFC 8878, 3).
 */
export interface Frame {
  /** Its size in the file. */
  storedBytes: number
  /** Its size when decompressed. */
  plainBytes: number
}

const entrySize = 8

/** The entries of an index of frames: two numbers of four bytes each, little-endian. */
export function encodeEntries (frames: Frame[]): Buffer {
  const bytes = Buffer.alloc(frames.length * entrySize)
  for (const [index, { storedBytes, plainBytes }] of frames.entries()) {
    bytes.writeUInt32LE(storedBytes, index * entrySize)
    bytes.writeUInt32LE(plainBytes, index * entrySize + 4)
  }
  return bytes
}

export function decodeEntries (bytes: Buffer): Frame[] {
  return Array.from({ length: Math.floor(bytes.length / entrySize) }, (_, index) => ({
    storedBytes: bytes.readUInt32LE(index * entrySize),
    plainBytes: bytes.readUInt32LE(index * entrySize + 4)
  }))
}

/** The size of a file that consists of these frames. */
export const storedSizeOf = (frames: Frame[]): number =>
  frames.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
