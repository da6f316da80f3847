import { randomUUID } from 'node:crypto'
import { addAbortSignal, type Readable } from 'node:stream'
import { NotFound, RestoreNotAllowed } from '../errors.ts'
import type { RestoreKey } from '../log/restore-records.ts'
import type { NewRun } from '../log/run-records.ts'
import { previewRestore } from '../restore/preview-restore.ts'
import { restoreSnapshot, type RestoredSnapshot } from '../restore/restore-snapshot.ts'
import type { RestoreTarget } from '../restore/restore-scope.ts'
import { snapshotFilename } from '../snapshot/format.ts'
import { readManifest } from '../snapshot/snapshot-reader.ts'
import type { Backup, PlanOptions, RestoreOptions, RestorePlan, RestoreResult } from '../../types/index.ts'
import { checkArguments, checkId, requireAllowed } from './arguments.ts'
import { type Context, logTable, spoolPath } from './context.ts'
import { openSnapshot } from './download-backup.ts'
import type { Begun } from './engine.ts'
import { publicStorageError } from './guarded-storage.ts'
import { errorText, outcomeOf } from './outcome.ts'
import { createProgressLog } from './progress-log.ts'
import { pruneAfterRun } from './prune-backups.ts'
import { createPublication } from './publication.ts'
import { type Completed, getAvailable } from './read-backups.ts'
import type { Run } from './runs.ts'

interface Source { source: Completed, schema: string }

/** What a plan and a restore are about; what may not be named is refused before the backup is looked for. */
async function findSource (context: Context, id: string, request: PlanOptions): Promise<Source> {
  checkId(id)
  if (request.schema !== undefined) requireAllowed(context, request.schema)
  const source = await getAvailable(context, id)
  return { source, schema: requireAllowed(context, request.schema ?? source.schema) }
}

function restoreTarget (context: Context, schema: string, { tables }: PlanOptions): RestoreTarget {
  return { schema, tables, excludeTables: context.options.excludeTables, logTable: logTable(context) }
}

export async function planRestoreOf (context: Context, id: string, request: PlanOptions = {}): Promise<RestorePlan> {
  checkArguments('plan', request)
  const { source, schema } = await findSource(context, id, request)
  const stream = await openSnapshot(context, source)
  try {
    const manifest = await readManifest(stream)
    return { id, ...await previewRestore(context.sql, manifest, restoreTarget(context, schema, request)) }
  } catch (error) {
    throw stream.errored === null ? error : publicStorageError(stream.errored, 'read the snapshot')
  } finally {
    stream.destroy()
  }
}

export async function beginRestore (context: Context, id: string, request: RestoreOptions = {}): Promise<Begun<RestoreResult>> {
  if (!context.options.allowRestore) throw new RestoreNotAllowed()
  checkArguments('restore', request)
  const found = await findSource(context, id, request)
  const run = await context.runs.begin(request.signal)
  return await new Promise((resolve, reject) => {
    const finished = performRestore(context, found, request, run, (backup) => { resolve({ backup, finished }) })
    finished.catch(reject)
  })
}

async function performRestore (context: Context, { source, schema }: Source, request: RestoreOptions, run: Run, onBegun: (backup: Backup) => void): Promise<RestoreResult> {
  const { log, events, clock, sql } = context
  const { id } = source
  const { startedAt } = run
  const key: RestoreKey = { id, target: schema, startedAt }
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
  const streams: Readable[] = []
  let begun = false
  try {
    const restored = await restoreSnapshot(sql, {
      ...restoreTarget(context, schema, request),
      id,
      checksum: source.checksum,
      allowSchemaDrift: request.allowSchemaDrift === true,
      allowModified: request.allowModified === true,
      preRestore: { ...preRestore, createdAt: startedAt.toISOString(), spoolPath: spoolPath(context, preRestore.id) },
      completion: log.restoreCompletion(key, by)
    }, {
      async onLocked () {
        const logged = await log.beginRestore(key, by)
        if (logged === undefined) throw new NotFound(id)
        begun = true
        events.emit('restore:started', { id, schema })
        onBegun({ ...logged.backup, available: true })
      },
      async open () {
        const stream = await openSnapshot(context, source)
        streams.push(stream)
        // A storage that has gone quiet would hold the restore, and stop(), for ever
        return addAbortSignal(run.signal, stream)
      },
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
    return result
  } catch (error) {
    const unread = streams.map(({ errored }) => errored).find((errored) => errored !== null)
    const failure = outcomeOf(unread === undefined || run.signal.aborted ? error : publicStorageError(unread, 'read the snapshot'), run.signal)
    if (begun) {
      await noteFailure(failure)
      events.emit('restore:failed', { id, schema, error: failure })
    }
    throw failure
  } finally {
    if (publication.isCompleted()) await pruneAfterRun(context, schema, 'pre_restore')
    run.end()
  }

  /** Never rejects. What was replaced has been rolled back; the snapshot of it stays, once it is complete. */
  async function noteFailure (failure: Error): Promise<void> {
    if (publication.hasBegun() && !publication.isCompleted()) await publication.settle(failure)
    await log.failRestore(key, errorText(failure)).catch(() => { context.requestHealing() })
  }
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
