import * as zlib from 'node:zlib'
import { CompressionUnsupported } from '../errors.ts'
import type { Codec, CompressionType } from './codec.ts'
import { createGzipCodec } from './gzip-codec.ts'
import { createZstdCodec, type ZstdLibrary } from './zstd-codec.ts'
import { frameMagic, isSkippable } from './zstd-frames.ts'

const codecs: Record<CompressionType, Codec | undefined> = {
  gzip: createGzipCodec(),
  zstd: createZstdCodec(zlib as unknown as ZstdLibrary)
}

/** Undefined where this version of Node.js has no Zstandard (before 22.15). */
export const codecOf = (type: CompressionType): Codec | undefined => codecs[type]

/**
 * @param available those of this version of Node.js
 * @throws FST_BACKUP_COMPRESSION_UNSUPPORTED
 */
export function requireCodec (type: CompressionType, available = codecs): Codec {
  const codec = available[type]
  if (codec === undefined) throw new CompressionUnsupported()
  return codec
}

/** Bytes at the beginning of a file that show its format. */
export const startSize = 4

/** What a file with this beginning is compressed with. A snapshot that is not compressed begins with a brace. */
export function compressionOf (start: Uint8Array): CompressionType | 'none' {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip'
  const magic = Buffer.alloc(startSize)
  magic.set(start.subarray(0, startSize))
  const number = magic.readUInt32LE(0)
  return number === frameMagic || isSkippable(number) ? 'zstd' : 'none'
}
