import { getLogged } from '../callers/visible-backups.ts'
import { failDeadRuns } from '../consistency/heal-log.ts'
import { isInUse } from '../consistency/prune-schema.ts'
import { finishRemoval } from '../consistency/remove-files.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'
import { Busy } from '../errors.ts'
import { hasRunningRestore } from '../log/log-row.ts'
import type { Context } from '../runs/context.ts'

export async function removeBackup (context: Context, id: string): Promise<void> {
  const { log } = context
  let { backup } = await getLogged(context, id)
  if (backup.status === 'running' || hasRunningRestore(backup)) {
    // The replica that ran it may have ended
    await failDeadRuns(context)
    backup = (await getLogged(context, id)).backup
  }
  if (backup.status === 'running' || isInUse(context, backup)) throw new Busy(`The backup ${id} is in use`)
  await requireOwnStorage(context)
  const [marked] = await log.markRemoved(backup.schema, (finished) => {
    return finished.map((logged) => logged.backup).filter((other) => other.id === id)
  })
  if (marked === undefined) {
    // Another replica uses the backup, or has removed it: then this throws FST_BACKUP_NOT_FOUND
    await getLogged(context, id)
    throw new Busy(`The backup ${id} is in use`)
  }
  await finishRemoval(context, marked)
  const { schema, trigger, filename, status, sizeBytes: bytes } = marked.backup
  context.logger.info({ id, schema, trigger, filename, status, bytes }, 'a backup was deleted')
}
