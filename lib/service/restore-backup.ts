import { randomUUID } from 'node:crypto'
import { RestoreNotAllowed } from '../errors.ts'
import type { NewRun } from '../log/backup-log.ts'
import { previewRestore } from '../restore/preview-restore.ts'
import { restoreSnapshot } from '../restore/restore-snapshot.ts'
import { snapshotFilename } from '../snapshot/format.ts'
import { readManifest } from '../snapshot/snapshot-reader.ts'
import type { Backup, PlanOptions, RestoreOptions, RestorePlan, RestoreResult } from '../../types/index.ts'
import { checkSchema, checkTableNames } from './arguments.ts'
import { type Context, logTable, spoolPath } from './context.ts'
import { createPublication } from './create-backup.ts'
import { getAvailable, openSnapshot } from './download-backup.ts'
import type { Begun } from './engine.ts'
import { errorText, publicError } from './outcome.ts'
import { createProgressLog } from './progress-log.ts'
import { pruneAfterRun } from './prune-backups.ts'
import { getBackup } from './read-backups.ts'
import type { Run } from './runs.ts'

export async function planRestoreOf (context: Context, id: string, request: PlanOptions): Promise<RestorePlan> {
  checkTableNames('tables', request.tables, 1)
  const backup = await getAvailable(context, id)
  const schema = checkSchema(context, request.schema ?? backup.schema)
  const stream = await openSnapshot(context, backup)
  try {
    const manifest = await readManifest(stream)
    return { id, ...await previewRestore(context.sql, manifest, restoreTarget(context, schema, request)) }
  } finally {
    stream.destroy()
  }
}

const restoreTarget = (context: Context, schema: string, { tables }: PlanOptions) =>
  ({ schema, tables, excludeTables: context.options.excludeTables, logTable: logTable(context) })

export async function beginRestore (context: Context, id: string, request: RestoreOptions = {}): Promise<Begun<RestoreResult>> {
  context.runs.requireOpen()
  if (!context.options.allowRestore) throw new RestoreNotAllowed()
  checkTableNames('tables', request.tables, 1)
  const source = await getAvailable(context, id)
  const schema = checkSchema(context, request.schema ?? source.schema)
  const run = await context.runs.begin(request.signal)
  return await new Promise((resolve, reject) => {
    const finished = performRestore(context, source, schema, request, run, (backup) => { resolve({ backup, finished }) })
    finished.catch(reject)
  })
}

async function performRestore (context: Context, source: Backup, schema: string, request: RestoreOptions, run: Run, onBegun: (backup: Backup) => void): Promise<RestoreResult> {
  const { log, events, clock, sql } = context
  const { id } = source
  const startedAt = clock.now()
  const by = request.actor ?? null
  const preRestore: NewRun = {
    id: randomUUID(),
    schema,
    filename: snapshotFilename(schema, startedAt),
    trigger: 'pre_restore',
    createdBy: by,
    cron: null,
    note: `before the restore of ${id}`,
    startedAt,
    slot: null
  }
  const publication = createPublication(context, preRestore)
  let begun = false
  let preRestoreDone = false
  try {
    const { tables, drift, phases } = await restoreSnapshot(sql, {
      ...restoreTarget(context, schema, request),
      id,
      checksum: source.checksum,
      allowSchemaDrift: request.allowSchemaDrift === true,
      allowModified: request.allowModified === true,
      preRestore: { ...preRestore, createdAt: startedAt.toISOString(), spoolPath: spoolPath(context, preRestore.id) },
      completion: log.restoreCompletion(id, by)
    }, {
      async onLocked () {
        await log.beginRestore(id, schema, by, startedAt)
        begun = true
        events.emit('restore:started', { id, schema })
        onBegun(await getBackup(context, id))
      },
      open: async () => await openSnapshot(context, source),
      onPreRestoreStarted: publication.begin,
      async onPreRestoreWritten (written) {
        await publication.publish(written)
        preRestoreDone = true
        await log.notePreRestore(id, preRestore.id)
      },
      onProgress: createProgressLog(context, id, 'restore:progress', request.onProgress),
      signal: run.signal
    })
    const result: RestoreResult = {
      id,
      preRestoreId: preRestore.id,
      schema,
      tables,
      rowCount: tables.reduce((sum, { rows }) => sum + rows, 0),
      drift,
      durationMs: clock.now().getTime() - startedAt.getTime(),
      phases
    }
    events.emit('restore:completed', result)
    return result
  } catch (error) {
    const shown = publicError(error)
    if (begun) await noteFailure(shown)
    events.emit('restore:failed', { id, schema, error: shown })
    throw shown
  } finally {
    run.end()
    if (preRestoreDone) await pruneAfterRun(context, schema, 'pre_restore')
  }

  /** Never rejects. What was replaced has been rolled back; the snapshot of it stays, once it is complete. */
  async function noteFailure (error: Error): Promise<void> {
    if (!preRestoreDone) await publication.fail(error)
    await log.failRestore(id, errorText(error)).catch(() => { context.requestHealing() })
  }
}
