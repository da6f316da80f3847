import { checkArguments } from '../arguments/check-arguments.ts'
import { describeBackups } from '../callers/visible-backups.ts'
import { adoptFiles, createAdoptionLog } from '../consistency/adopt-files.ts'
import type { Context } from '../runs/context.ts'
import type { LongCall, Rescan } from '../../types/index.ts'

/** File names in one log line. */
const namesAtMost = 10

/**
 * Adopts the snapshots in the storage that have no row, and accepts the storage as it is.
 * @throws FST_BACKUP_STORAGE_TAKEN
 */
export async function rescanStorage (context: Context, call: LongCall = {}): Promise<Rescan> {
  checkArguments('rescan', call)
  const runLog = createAdoptionLog(context)
  const { adopted, missing } = await adoptFiles(context, runLog, call).catch((error: unknown) => {
    runLog.fail(error)
    throw error
  })
  const rescan = {
    adopted: await describeBackups(context, adopted),
    missing: await describeBackups(context, missing)
  }
  await context.presence.accept(rescan)
  if (missing.length > 0) {
    const names = missing.slice(0, namesAtMost).map(({ backup }) => backup.filename)
    context.logger.warn({ files: missing.length, names }, 'files of backups are missing, and are no longer expected')
  }
  return rescan
}
