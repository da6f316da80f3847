import type { Readable } from 'node:stream'
import { FileGone, RangeInvalid } from '../errors.ts'
import type { ByteRange, Download } from '../../types/index.ts'
import type { Context } from './context.ts'
import { isMissing } from './guarded-storage.ts'
import { getAvailable } from './read-backups.ts'

export async function openSnapshot ({ storage }: Context, { filename }: { filename: string }, range?: ByteRange): Promise<Readable> {
  try {
    return await storage.open(filename, range)
  } catch (error) {
    throw isMissing(error) ? new FileGone(filename) : error
  }
}

export async function downloadBackup (context: Context, id: string, range?: ByteRange): Promise<Download> {
  const backup = await getAvailable(context, id)
  const { filename, sizeBytes, checksum } = backup
  if (range !== undefined && !isWithin(range, sizeBytes)) throw new RangeInvalid(sizeBytes)
  const stream = await openSnapshot(context, backup, range)
  context.runs.trackDownload(id, stream)
  return { stream, filename, sizeBytes, checksum }
}

const isWithin = ({ start, end }: ByteRange, size: number): boolean =>
  Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end < size
