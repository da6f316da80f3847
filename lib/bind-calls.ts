import type { EventFeed } from './feed/event-feed.ts'
import type { Context } from './runs/context.ts'
import type { PendingCalls } from './runs/pending-calls.ts'
import { publicError } from './runs/public-error.ts'
import type { BackupCalls } from './service/backup-engine.ts'
import { beginCreate } from './service/create-backup.ts'
import { downloadBackup } from './service/download-backup.ts'
import { getBackup } from './service/get-backup.ts'
import { importBackup } from './service/import-backup.ts'
import { listBackups } from './service/list-backups.ts'
import { planRestore } from './service/plan-restore.ts'
import { pruneBackups } from './service/prune-backups.ts'
import { readStatus, type ScheduleView } from './service/read-status.ts'
import { showManifest } from './service/read-manifest.ts'
import { readMetrics } from './service/read-metrics.ts'
import { removeBackup } from './service/remove-backup.ts'
import { rescanStorage } from './service/rescan-storage.ts'
import { beginRestore } from './service/restore-backup.ts'
import { updateBackup } from './service/update-backup.ts'
import { verifyBackup } from './service/verify-backup.ts'

/**
 * Turns the use cases into the calls of a service. They are tracked, reject after a shutdown, and reject with public
 * errors only.
 */
export function bindCalls (
  context: Context, schedule: ScheduleView | undefined, pending: PendingCalls, feed: EventFeed
): BackupCalls {
  function whileOpen<A extends unknown[], T> (call: (...values: A) => Promise<T>): (...values: A) => Promise<T> {
    return async (...values) => {
      try {
        context.runs.requireOpen()
        return await pending.track(call(...values))
      } catch (error) {
        throw publicError(error)
      }
    }
  }

  return {
    create: whileOpen(async (request) => await (await beginCreate(context, request)).finished),
    beginCreate: whileOpen(async (request) => await beginCreate(context, request)),
    list: whileOpen(async (query) => await listBackups(context, query)),
    get: whileOpen(async (id) => await getBackup(context, id)),
    download: whileOpen(async (id, range, options) => await downloadBackup(context, id, range, options)),
    manifest: whileOpen(async (id) => await showManifest(context, id)),
    plan: whileOpen(async (id, request) => await planRestore(context, id, request)),
    restore: whileOpen(async (id, request) => await (await beginRestore(context, id, request)).finished),
    beginRestore: whileOpen(async (id, request) => await beginRestore(context, id, request)),
    follow: whileOpen(async (follower) => { await feed.follow(context, follower) }),
    verify: whileOpen(async (id, call) => await verifyBackup(context, id, call)),
    import: whileOpen(async (stream, request) => await importBackup(context, stream, request)),
    remove: whileOpen(async (id) => { await removeBackup(context, id) }),
    update: whileOpen(async (id, changes) => await updateBackup(context, id, changes)),
    prune: whileOpen(async () => await pruneBackups(context)),
    rescan: whileOpen(async (call) => await rescanStorage(context, call)),
    status: whileOpen(async (query) => await readStatus(context, schedule, query)),
    metrics: whileOpen(async () => await readMetrics(context, schedule))
  }
}
