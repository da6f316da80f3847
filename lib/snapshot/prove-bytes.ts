import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { SnapshotInvalid } from '../errors.ts'
import { decompressed } from '../pipeline/plain-source.ts'
import { checksumOf } from './checksum.ts'
import { frameManifest, headSizeOf, ownChecksum, textAfterRows, textBeforeRows } from './file-format.ts'
import { createSectionHasher, type SectionHasher } from './hash-sections.ts'
import { parseHere } from './snapshot-reader.ts'

/** Bytes that have to follow each other in a file. */
interface Part { bytes: number, checksum: string }

const NEW_LINE = 0x0a
const CLOSE_BRACE = 0x7d
const manifestStart = '{"manifest":'.length
/** Bytes that are kept in search of the end of the first line, at most. */
const largestLine = 64 * 1024 * 1024

/**
 * Passes on the bytes of a snapshot file, and throws FST_BACKUP_SNAPSHOT_INVALID at their end unless the checksum
 * proves all of them. A compressed file is decompressed for that. The rows are hashed and not parsed.
 * @param checksum of the log
 */
export async function * proveBytes (chunks: AsyncIterable<Buffer>, checksum: string): AsyncGenerator<Buffer> {
  const copy = new PassThrough()
  // It is destroyed when a damaged file cannot be decompressed further
  copy.on('error', () => {})
  const proof = decompressed(copy).then(async ({ stream }) => { await proveJson(stream, checksum) })
  const settled = proof.catch(() => {})
  try {
    for await (const chunk of chunks) {
      yield chunk
      if (!copy.destroyed && !copy.write(chunk)) await Promise.race([once(copy, 'drain'), settled])
    }
    copy.end()
    await proof
  } finally {
    copy.destroy()
  }
}

async function proveJson (chunks: AsyncIterable<Buffer>, checksum: string): Promise<void> {
  const firstLine: Buffer[] = []
  let bytes = 0
  let parts: Part[] = []
  let hasher: SectionHasher | undefined
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (hasher !== undefined) {
      hasher.update(chunk)
      continue
    }
    // Without a line that ends, nothing is hashed, and nothing is proven
    if (bytes > largestLine) continue
    firstLine.push(chunk)
    const end = chunk.indexOf(NEW_LINE)
    if (end === -1) continue
    const read = Buffer.concat(firstLine)
    parts = await partsOf(read.subarray(0, bytes - chunk.length + end), checksum)
    hasher = createSectionHasher(0)
    cutBetween(parts, hasher)
    hasher.update(read)
  }
  const sums = hasher?.sections.map((section) => section.checksum) ?? []
  const isProven = parts.length > 0 && parts.every((part, index) => part.checksum === sums[index])
  if (!isProven || bytes !== sizeOf(parts)) throw new SnapshotInvalid('it does not match the checksum in the log')
}

/** All parts of the file. None when the manifest does not have this checksum. */
async function partsOf (firstLine: Buffer, checksum: string): Promise<Part[]> {
  const json = firstLine.subarray(manifestStart, firstLine.lastIndexOf(CLOSE_BRACE) + 1)
  if (ownChecksum(json) !== checksum) return []
  const manifest = await parseHere(json.toString())
  return [
    partOf(frameManifest(json.toString(), headSizeOf(manifest))),
    ...manifest.tables.flatMap((table, index) => [partOf(textBeforeRows(table, index)), table]),
    partOf(textAfterRows(manifest))
  ]
}

const partOf = (content: string | Buffer): Part =>
  ({ bytes: Buffer.byteLength(content), checksum: checksumOf(content) })

const sizeOf = (parts: Part[]): number => parts.reduce((sum, { bytes }) => sum + bytes, 0)

function cutBetween (parts: Part[], hasher: SectionHasher): void {
  let position = 0
  for (const { bytes } of parts) {
    hasher.cut(position)
    position += bytes
    hasher.cut(position)
  }
}
