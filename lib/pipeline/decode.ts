import { pipeline, Readable, type Transform } from 'node:stream'
import { SnapshotInvalid } from '../errors.ts'
import { codeOf } from '../own-error.ts'

/** Bytes of output of a decoder or encoder at once: each takes a trip to a thread. */
export const chunkSize = 256 * 1024

/**
 * The output of a decoder of node:zlib. An error of `bytes` is passed on as it is.
 * @throws FST_BACKUP_SNAPSHOT_INVALID if the decoder fails. Its code contains no data of the file
 */
export async function * decode (bytes: AsyncIterable<Buffer>, decoder: Transform): AsyncGenerator<Buffer> {
  const source = Readable.from(bytes, { objectMode: true, highWaterMark: 1 })
  let readError: unknown
  source.once('error', (error) => { readError = error })
  // An error of either stream destroys both
  pipeline(source, decoder, () => {})
  try {
    yield * decoder
  } catch (error) {
    throw readError ?? new SnapshotInvalid(`it cannot be decompressed (${codeOf(error)})`)
  }
}
