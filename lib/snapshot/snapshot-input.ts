import { createHash } from 'node:crypto'
import { LimitExceeded, SnapshotInvalid } from '../errors.ts'
import { Incomplete, JsonCursor, SnapshotSyntaxError } from './codec/json-cursor.ts'

/** More is not gathered in search of an end, of the manifest say: that of 2,000 tables with 50 columns each has 6 MB. */
const largestPart = 64 * 1024 * 1024
/** Of a row as the writer spells it, on one line. COPY's lines are shorter than 1 GB, and escapes add to that. */
const largestLine = 2 * 1024 * 1024 * 1024

/** The most that a file from elsewhere may have, in bytes. */
export interface ReadLimits {
  /** Of one row. */
  rowBytes: number
  /** Of the manifest, or of what stands in its place. */
  manifestBytes: number
}

/** For own files, which are read whatever they hold. */
export const unlimited: ReadLimits = { rowBytes: Infinity, manifestBytes: Infinity }

/** The bytes of a snapshot file, for a parser that wants them at its own pace. */
export interface SnapshotInput {
  cursor: JsonCursor
  /** Bytes consumed. */
  readonly bytes: number
  /** Runs a parser again with more bytes until it has enough. It must have no effect before it succeeds but on the cursor. */
  parse: <T>(parser: () => T) => Promise<T>
  /**
   * Gets more of a row. Throws at the end, and when a row that is not on one line is too long: where a bracket was damaged, the rest of the
   * file would look like part of it.
   */
  fillRow: () => Promise<void>
  /**
   * Whether there may be a whole row among the unread bytes: what is behind the last new line is part of one, as the writer spells them.
   * Where there are no new lines, or no more bytes, nothing can be said.
   */
  mayHoldRow: () => boolean
  /** Throws FST_BACKUP_LIMIT_EXCEEDED for a row of so many bytes. One that is not at hand as a whole is refused before it is. */
  checkRow: (bytes: number) => void
  startData: () => void
  endData: () => string
  expectEnd: () => Promise<void>
  total: () => { checksum: string, sizeBytes: number }
}

/** Hashes what passes: the whole file, and its data part. */
export function createSnapshotInput (source: AsyncIterable<Buffer>, { rowBytes, manifestBytes }: ReadLimits = unlimited): SnapshotInput {
  const chunks = source[Symbol.asyncIterator]()
  const cursor = new JsonCursor()
  const fileHash = createHash('sha256')
  const dataHash = createHash('sha256')
  let total = 0
  let dataStart = -1
  let finished = false
  let lastNewLine = -1

  const unread = (): number => cursor.end - cursor.position

  /** Consumed bytes leave the buffer; those of the data part are hashed on the way. */
  function compact (): void {
    if (dataStart !== -1) {
      dataHash.update(cursor.bytes.subarray(dataStart, cursor.position))
      dataStart = 0
    }
    cursor.bytes = cursor.bytes.subarray(cursor.position)
    cursor.end -= cursor.position
    cursor.position = 0
  }

  /** Gets at least as many bytes again as are unread, so that what is long is tried only a few times. */
  async function fill (limit: number, bound: number, exceeded: () => Error): Promise<void> {
    if (finished) throw new SnapshotSyntaxError('the file is truncated')
    if (unread() > bound) throw exceeded()
    if (unread() > limit) throw new SnapshotSyntaxError(`no end was found within ${limit / 1024 / 1024} MiB`)
    compact()
    const parts = [cursor.bytes]
    // No more than it takes to see that a bound is exceeded
    const wanted = Math.max(1, Math.min(unread(), bound + 1 - unread()))
    let got = 0
    while (got < wanted && !finished) {
      const { done, value } = await chunks.next()
      if (done === true) {
        finished = true
      } else {
        fileHash.update(value)
        parts.push(value)
        got += value.length
      }
    }
    total += got
    cursor.bytes = Buffer.concat(parts)
    cursor.end = cursor.bytes.length
    lastNewLine = cursor.bytes.lastIndexOf(0x0a)
  }

  const tooLongRow = (): Error => new LimitExceeded('a row', `rowBytes allows (${rowBytes} bytes)`)
  const fillPart = async (): Promise<void> => { await fill(largestPart, manifestBytes, () => new LimitExceeded('the manifest, or another part,', `manifestBytes allows (${manifestBytes} bytes)`)) }

  return {
    cursor,
    checkRow (bytes) {
      if (bytes > rowBytes) throw tooLongRow()
    },
    get bytes () { return total - unread() },
    async parse (parser) {
      for (;;) {
        const { position } = cursor
        try {
          return parser()
        } catch (error) {
          if (!(error instanceof Incomplete)) throw error
          cursor.position = position
          await fillPart()
        }
      }
    },
    fillRow: async () => { await fill(lastNewLine > cursor.position ? largestPart : largestLine, rowBytes, tooLongRow) },
    mayHoldRow () {
      if (unread() === 0) return false
      return finished || lastNewLine === -1 || lastNewLine >= cursor.position
    },
    startData () { dataStart = cursor.position },
    endData () {
      compact()
      dataStart = -1
      return `sha256:${dataHash.digest('hex')}`
    },
    async expectEnd () {
      for (;;) {
        cursor.skipSpace()
        if (unread() > 0) throw new SnapshotInvalid('something follows its end')
        if (finished) return
        await fillPart()
      }
    },
    total: () => ({ checksum: `sha256:${fileHash.digest('hex')}`, sizeBytes: total })
  }
}
