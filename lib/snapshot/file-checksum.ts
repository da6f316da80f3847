import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** Bytes. */
const readSize = 512 * 1024

/**
 * The checksum of a complete file, `sha256:…`. The writer cannot compute it while it writes, since it writes the
 * manifest, which comes first, at the end. The bytes are still in the page cache. One buffer is hashed while the other
 * one is read into.
 */
export async function fileChecksum (file: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  let [current, next] = [Buffer.allocUnsafeSlow(readSize), Buffer.allocUnsafeSlow(readSize)]
  let position = 0
  let reading = file.read(current, 0, readSize, position)
  for (;;) {
    const { bytesRead } = await reading
    if (bytesRead === 0) return `sha256:${hash.digest('hex')}`
    position += bytesRead
    reading = file.read(next, 0, readSize, position)
    hash.update(current.subarray(0, bytesRead));
    [current, next] = [next, current]
  }
}
