import { requireCodec } from '../../lib/pipeline/codecs.ts'
import type { CompressionType } from '../../lib/pipeline/codec.ts'
import { openCompressingSink } from '../../lib/pipeline/compressing-sink.ts'
import { createMemorySink, type MemorySink } from './memory-sink.ts'

interface Writing { pieceSize?: number, level?: number }

/** Compresses a file as a backup does, from pieces of at most `pieceSize` bytes. */
export async function compressFile (
  type: CompressionType, head: Buffer, body: Buffer, { pieceSize = 256 * 1024, level }: Writing = {}
): Promise<Buffer> {
  let file: MemorySink | undefined
  const sink = await openCompressingSink(requireCodec(type), { level }, async (size) => {
    file = createMemorySink(size)
    return file
  }, head.length)
  for (let start = 0; start < body.length; start += pieceSize) {
    // The memory is used again as soon as write() has resolved
    const piece = Buffer.from(body.subarray(start, start + pieceSize))
    await sink.write([piece])
    piece.fill(0)
  }
  await sink.finish(head)
  return (file as MemorySink).bytes()
}
