import { randomUUID } from 'node:crypto'
import { NotFound, RestoreNotAllowed } from '../errors.ts'
import type { RestoreKey } from '../log/restore-records.ts'
import type { NewRun } from '../log/run-records.ts'
import type { RestoreJob } from '../restore/restore-job.ts'
import type { RestoredSnapshot } from '../restore/restore-snapshot.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { Backup, RestoreOptions, RestoreResult } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { type Context, spoolPath, storedFile } from '../runs/context.ts'
import type { Begun } from './backup-engine.ts'
import { errorText } from '../runs/public-error.ts'
import { findSource, restoreTarget, type Source } from './plan-restore.ts'
import { createProgressLog } from '../runs/report-progress.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { createPublication, type Publication } from '../consistency/publish-snapshot.ts'
import type { Run } from '../runs/active-runs.ts'
import { describeBackup } from '../callers/visible-backups.ts'
import { createSnapshotSource, expectedOf } from '../runs/open-snapshot.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/** A restore that is under way. */
interface Restore extends Source {
  request: RestoreOptions
  run: Run
  key: RestoreKey
  /** The snapshot of what is about to be replaced. */
  preRestore: NewRun
  publication: Publication
}

export async function beginRestore (context: Context, id: string, request: RestoreOptions = {}): Promise<Begun<RestoreResult>> {
  if (!context.options.allowRestore) throw new RestoreNotAllowed()
  checkArguments('restore', request)
  const found = await findSource(context, id, request)
  await requireOwnStorage(context)
  await context.presence.prepare()
  const run = await context.runs.begin(request.signal)
  const preRestore = preRestoreRun(found, run, request)
  const publication = createPublication(context, preRestore)
  const key = { id, target: found.schema, startedAt: run.startedAt }
  return await new Promise((resolve, reject) => {
    const finished = performRestore(context, { ...found, request, run, key, preRestore, publication }, (backup) => { resolve({ backup, finished }) })
      .finally(run.end)
    finished.catch(reject)
  })
}

function preRestoreRun ({ source, schema }: Source, { startedAt }: Run, { actor }: RestoreOptions): NewRun {
  return {
    id: randomUUID(),
    schema,
    filename: snapshotFilename(schema, startedAt),
    trigger: 'pre_restore',
    createdBy: actor ?? null,
    cron: null,
    note: `before the restore of ${source.id}`,
    startedAt,
    slot: null,
    partial: false
  }
}

async function performRestore (context: Context, restore: Restore, onBegun: (backup: Backup) => void): Promise<RestoreResult> {
  const { log, events, clock, runner } = context
  const { source, schema, request, run, key, preRestore, publication } = restore
  const { id } = source
  const file = createSnapshotSource(context, source, run.signal)
  let begun = false
  try {
    const restored = await runner.restoreSnapshot(await restoreJob(context, restore), {
      async onLocked () {
        // Before the answer, which may be lost when the record is there
        begun = true
        const logged = await log.beginRestore(key, preRestore.createdBy)
        begun = logged !== undefined
        if (logged === undefined) throw new NotFound(id)
        events.emit('restore:started', { id, schema })
        onBegun(await describeBackup(context, logged))
      },
      open: file.open,
      async onPreRestoreStarted () { await publication.begin() },
      async onPreRestoreWritten (written) {
        await publication.publish(written)
        await log.notePreRestore(key, preRestore.id)
      },
      onProgress: createProgressLog(context, id, 'restore:progress', request.onProgress),
      signal: run.signal
    })
    const result = resultOf(restored, key, preRestore.id, clock.now())
    events.emit('restore:completed', result)
    // After a failure the next run does: to make room for the snapshot of a moment ago its very source might go
    await pruneAfterRun(context, schema, 'pre_restore', preRestore.id)
    return result
  } catch (error) {
    const failure = file.failureOf(error)
    if (begun) {
      await noteFailure(context, restore, failure)
      events.emit('restore:failed', { id, schema, error: failure })
    }
    throw failure
  }
}

async function restoreJob (context: Context, { source, schema, request, key, preRestore }: Restore): Promise<RestoreJob> {
  return {
    ...await restoreTarget(context, schema, request),
    id: source.id,
    file: storedFile(context, source),
    expected: expectedOf(source),
    allowSchemaDrift: request.allowSchemaDrift === true,
    allowModified: request.allowModified === true,
    preRestore: { ...preRestore, createdAt: preRestore.startedAt.toISOString(), spoolPath: spoolPath(context, preRestore.id) },
    completion: context.log.restoreCompletion(key, preRestore.createdBy, preRestore.id, request.tables === undefined)
  }
}

/** Never rejects. What was replaced has been rolled back; the snapshot of it stays, once it is complete. */
async function noteFailure ({ log, requestHealing }: Context, { key, publication }: Restore, failure: Error): Promise<void> {
  if (publication.hasBegun() && !publication.isCompleted()) await publication.settle(failure)
  await log.failRestore(key, errorText(failure)).catch(requestHealing)
}

function resultOf ({ tables, drift, phases }: RestoredSnapshot, { id, target, startedAt }: RestoreKey, preRestoreId: string, now: Date): RestoreResult {
  return {
    id,
    preRestoreId,
    schema: target,
    tables,
    rowCount: tables.reduce((sum, { rows }) => sum + rows, 0),
    drift,
    durationMs: Math.max(0, now.getTime() - startedAt.getTime()),
    phases
  }
}
