import { NotFound } from '../errors.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Backup, BackupList, ListQuery, Status } from '../../types/index.ts'
import { checkId, checkLimit } from './arguments.ts'
import type { Context } from './context.ts'

/** Completed ones, and those that were restored since. */
export const hasSnapshot = ({ status }: Backup): boolean => status === 'completed' || status === 'restored'

async function withAvailability ({ storage }: Context, { backup }: LoggedBackup): Promise<Backup> {
  if (!hasSnapshot(backup)) return backup
  // A storage that can't be asked has nothing to give either
  return { ...backup, available: await storage.stat(backup.filename).then((found) => found !== null, () => false) }
}

async function all (context: Context, backups: LoggedBackup[]): Promise<Backup[]> {
  return await Promise.all(backups.map(async (logged) => await withAvailability(context, logged)))
}

export async function getBackup (context: Context, id: string): Promise<Backup> {
  checkId(id)
  const logged = await context.log.get(id)
  if (logged === undefined) throw new NotFound(id)
  return await withAvailability(context, logged)
}

export async function listBackups (context: Context, query: ListQuery): Promise<BackupList> {
  checkLimit(query.limit)
  const { backups, next } = await context.log.list(query)
  return { backups: await all(context, backups), next }
}

export async function readStatus (context: Context, nextRunAt: Date | null): Promise<Status> {
  const { log, options } = context
  const [running, newest, bytesHeld, failing] = [await log.running(), await log.newest(), await log.bytesHeld(), await log.failing()]
  return {
    healthy: failing.length === 0,
    allowRestore: options.allowRestore,
    nextRunAt: nextRunAt?.toISOString() ?? null,
    running: await all(context, running),
    newest: await all(context, newest),
    bytesHeld
  }
}
