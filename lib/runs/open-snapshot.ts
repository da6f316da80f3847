import { addAbortSignal, type Readable } from 'node:stream'
import { FileGone } from '../errors.ts'
import type { ExpectedSnapshot } from '../snapshot/find-problems.ts'
import type { Backup, ByteRange } from '../../types/index.ts'
import type { Context } from './context.ts'
import { isMissing, publicStorageError } from '../storage/public-storage-errors.ts'
import { outcomeOf } from './public-error.ts'

/** @throws FST_BACKUP_FILE_GONE */
export async function openSnapshot (
  { storage }: Context, { filename }: { filename: string }, range?: ByteRange
): Promise<Readable> {
  try {
    return await storage.open(filename, range)
  } catch (error) {
    throw isMissing(error) ? new FileGone(filename) : error
  }
}

/** What the file of a backup has to contain. The file of an import keeps the id that the snapshot had elsewhere. */
export const expectedOf = ({ id, trigger, checksum }: Backup): ExpectedSnapshot =>
  ({ id: trigger === 'import' ? null : id, checksum })

/** The file of a backup, for a run that reads it. */
export interface SnapshotOpener {
  /** Opens the file at its first byte, or a range of it. A run may call it several times. */
  open: (range?: ByteRange) => Promise<Readable>
  /** The public error of the run. After a failed read it is always an error of the storage. */
  failureOf: (error: unknown) => Error
}

export function createSnapshotOpener (
  context: Context, backup: { filename: string }, signal: AbortSignal
): SnapshotOpener {
  const streams: Readable[] = []
  return {
    async open (range) {
      const stream = await unlessAborted(openSnapshot(context, backup, range), signal)
      streams.push(stream)
      // Otherwise a storage that stops answering would block the run, and stop(), forever
      return addAbortSignal(signal, stream)
    },
    failureOf (error) {
      const readError = streams.map(({ errored }) => errored).find((errored) => errored !== null)
      if (readError === undefined || signal.aborted) return outcomeOf(error, signal)
      return outcomeOf(publicStorageError(readError, 'read the snapshot'), signal)
    }
  }
}

/** Rejects as soon as the signal aborts, since the storage may never answer. Destroys a stream that arrives later. */
async function unlessAborted (opening: Promise<Readable>, signal: AbortSignal): Promise<Readable> {
  return await new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason)
      opening.then((late) => { late.destroy() }, () => {})
    }
    signal.addEventListener('abort', abort, { once: true })
    opening.then(resolve, reject).finally(() => { signal.removeEventListener('abort', abort) })
  })
}
