import { FileGone, NotCompleted, RangeInvalid } from '../errors.ts'
import { systemCode } from '../storage/storage-error.ts'
import type { Backup, ByteRange, Download } from '../../types/index.ts'
import type { Readable } from 'node:stream'
import type { Context } from './context.ts'
import { getBackup, hasSnapshot } from './read-backups.ts'

/** A backup whose snapshot can be read. Throws FST_BACKUP_NOT_COMPLETED or FST_BACKUP_FILE_GONE. */
export async function getAvailable (context: Context, id: string): Promise<Backup> {
  const backup = await getBackup(context, id)
  if (!hasSnapshot(backup)) throw new NotCompleted(id, backup.status)
  if (await context.storage.stat(backup.filename) === null) throw new FileGone(backup.filename)
  return backup
}

export async function openSnapshot ({ storage }: Context, { filename }: Backup, range?: ByteRange): Promise<Readable> {
  try {
    return await storage.open(filename, range)
  } catch (error) {
    throw systemCode(error) === 'ENOENT' ? new FileGone(filename) : error
  }
}

export async function downloadBackup (context: Context, id: string, range?: ByteRange): Promise<Download> {
  context.runs.requireOpen()
  const backup = await getAvailable(context, id)
  const { filename, checksum } = backup
  const sizeBytes = backup.sizeBytes ?? 0
  if (range !== undefined && !(range.start >= 0 && range.start <= range.end && range.end < sizeBytes)) throw new RangeInvalid(sizeBytes)
  const stream = await openSnapshot(context, backup, range)
  context.runs.trackDownload(id, stream)
  return { stream, filename, sizeBytes, checksum: checksum ?? '' }
}
