import type { Frame } from './frame.ts'

export type CompressionType = 'gzip' | 'zstd'

/** How a snapshot is compressed, as plain data. */
export interface Compression {
  type: CompressionType
  /** That of the format; undefined for its default. */
  level?: number | undefined
}

/** Compresses and decompresses one format. */
export interface Codec {
  /** One frame of these bytes, made in a thread of libuv's pool. */
  compress: (bytes: Uint8Array, level: number | undefined) => Promise<Buffer>
  /** Size of a frame with this number of bytes that are not compressed, so that it depends on nothing else. */
  storedSize: (bytes: number) => number
  /** A frame whose bytes are not compressed. */
  store: (bytes: Uint8Array) => Buffer
  /** What follows the last frame: the sizes of all frames, in a form that other programs skip. */
  encodeIndex: (frames: Frame[]) => Buffer
  /**
   * The frames of a file, from its index. Undefined when the file has none, such as one of another program.
   * @param read returns bytes of the file, from `start` up to `end` and without it
   */
  readIndex: (read: ReadBytes, storedBytes: number) => Promise<Frame[] | undefined>
  /**
   * Decompresses one frame after the other, up to the end of the file.
   * @throws FST_BACKUP_SNAPSHOT_INVALID
   */
  decompress: (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer>
}

export type ReadBytes = (start: number, end: number) => Promise<Buffer>
