import { RangeInvalid } from '../errors.ts'
import type { ByteRange, Download } from '../../types/index.ts'
import { getAvailable } from '../callers/visible-backups.ts'
import type { Context } from '../runs/context.ts'
import { openSnapshot } from '../runs/open-snapshot.ts'

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
