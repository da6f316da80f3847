import { addAbortSignal, type Readable } from 'node:stream'
import { FileGone } from '../errors.ts'
import type { ExpectedSnapshot } from '../snapshot/find-problems.ts'
import type { Backup, ByteRange } from '../../types/index.ts'
import type { Context } from './context.ts'
import { isMissing, publicStorageError } from '../storage/guard-storage.ts'
import { outcomeOf } from './public-error.ts'

export async function openSnapshot ({ storage }: Context, { filename }: { filename: string }, range?: ByteRange): Promise<Readable> {
  try {
    return await storage.open(filename, range)
  } catch (error) {
    throw isMissing(error) ? new FileGone(filename) : error
  }
}

/** What its file has to be. That of an import keeps the id that the snapshot had elsewhere. */
export const expectedOf = ({ id, trigger, checksum }: Backup): ExpectedSnapshot => ({ id: trigger === 'import' ? null : id, checksum })

/** The file of a backup, as a run reads it. */
export interface SnapshotSource {
  /** From its first byte; as often as the run needs it. */
  open: () => Promise<Readable>
  /** What the run comes to: a file that could not be read is the storage's fault, whatever code of the system it was. */
  failureOf: (error: unknown) => Error
}

export function createSnapshotSource (context: Context, backup: { filename: string }, signal: AbortSignal): SnapshotSource {
  const streams: Readable[] = []
  return {
    async open () {
      const stream = await unlessAborted(openSnapshot(context, backup), signal)
      streams.push(stream)
      // A storage that has gone quiet would hold the run, and stop(), for ever
      return addAbortSignal(signal, stream)
    },
    failureOf (error) {
      const unread = streams.map(({ errored }) => errored).find((errored) => errored !== null)
      return outcomeOf(unread === undefined || signal.aborted ? error : publicStorageError(unread, 'read the snapshot'), signal)
    }
  }
}

/** A storage that does not answer holds nobody; a stream that comes too late is nobody's. */
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
