import type { Readable } from 'node:stream'
import { RangeInvalid } from '../errors.ts'
import type { Backup, ByteRange, Download, DownloadOptions } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { getAvailable } from '../callers/visible-backups.ts'
import type { Completed } from '../log/completed-backup.ts'
import { openPlain } from '../pipeline/plain-source.ts'
import type { Context } from '../runs/context.ts'
import { openSnapshot } from '../runs/open-snapshot.ts'
import { plainFilename } from '../snapshot/file-format.ts'

/** What a download sends: the file as it is stored, or its JSON. */
export type Representation = Pick<Download, 'filename' | 'sizeBytes'> & Pick<Backup, 'compression'>

export function representationOf (backup: Completed, { as }: DownloadOptions): Representation {
  const { filename, sizeBytes, storedBytes, compression } = backup
  return as === 'json'
    ? { filename: plainFilename(filename), sizeBytes, compression: 'none' }
    : { filename, sizeBytes: storedBytes, compression }
}

export async function downloadBackup (
  context: Context, id: string, range?: ByteRange, options: DownloadOptions = {}
): Promise<Download> {
  checkArguments('download', options)
  const backup = await getAvailable(context, id)
  const { filename, sizeBytes } = representationOf(backup, options)
  if (range !== undefined && !isWithin(range, sizeBytes)) throw new RangeInvalid(sizeBytes)
  const open = options.as === 'json' ? openJson : openSnapshot
  const stream = await open(context, backup, range)
  context.runs.trackDownload(id, stream)
  return { stream, filename, sizeBytes, checksum: backup.checksum }
}

async function openJson (context: Context, backup: Completed, range?: ByteRange): Promise<Readable> {
  return await openPlain(async (part) => await openSnapshot(context, backup, part), backup.storedBytes)(range)
}

const isWithin = ({ start, end }: ByteRange, size: number): boolean =>
  Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end < size
