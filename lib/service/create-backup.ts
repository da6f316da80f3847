import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { Aborted } from '../errors.ts'
import { snapshotFilename } from '../snapshot/format.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import { takeSnapshot } from '../snapshot/take-snapshot.ts'
import type { NewRun } from '../log/backup-log.ts'
import type { Backup, CreateOptions } from '../../types/index.ts'
import { checkNote, checkSchema, checkTableNames } from './arguments.ts'
import { type Context, logTable, spoolPath } from './context.ts'
import type { Begun } from './engine.ts'
import { errorText, isOwnError, publicError } from './outcome.ts'
import { createProgressLog } from './progress-log.ts'
import { pruneAfterRun } from './prune-backups.ts'
import { getBackup } from './read-backups.ts'
import type { Run } from './runs.ts'

/** Another replica serves the slot. */
export class SlotTaken extends Error {}

/** The slot that a scheduled run serves, and the schedule it comes from. */
export interface Occasion { slot: Date, cron: string }

export async function beginCreate (context: Context, request: CreateOptions = {}, occasion: Occasion | null = null): Promise<Begun<Backup>> {
  const { options, log, runs, clock } = context
  runs.requireOpen()
  const schema = checkSchema(context, request.schema ?? options.schema)
  checkNote(request.note)
  checkTableNames('excludeTables', request.excludeTables, 0)
  await log.prepare()
  const run = await runs.begin(request.signal)
  const id = randomUUID()
  const startedAt = clock.now()
  const newRun: NewRun = {
    id,
    schema,
    filename: snapshotFilename(schema, startedAt),
    trigger: occasion === null ? 'manual' : 'scheduled',
    createdBy: request.actor ?? null,
    cron: occasion?.cron ?? null,
    note: request.note ?? null,
    startedAt,
    slot: occasion?.slot ?? null
  }
  return await new Promise((resolve, reject) => {
    const finished = performCreate(context, newRun, request, run, (backup) => { resolve({ backup, finished }) })
    // Told by way of the promise above when the run never began
    finished.catch(reject)
  })
}

async function performCreate (context: Context, newRun: NewRun, request: CreateOptions, run: Run, onBegun: (backup: Backup) => void): Promise<Backup> {
  const { options, sql, events } = context
  const { id, schema, note, trigger, startedAt } = newRun
  const publication = createPublication(context, newRun)
  try {
    await takeSnapshot(sql, {
      id,
      schema,
      trigger,
      note,
      createdAt: startedAt.toISOString(),
      spoolPath: spoolPath(context, id),
      excludeTables: [...options.excludeTables, ...request.excludeTables ?? []],
      logTable: logTable(context)
    }, {
      async onLocked () {
        await publication.begin()
        const backup = await getBackup(context, id)
        events.emit('backup:started', backup)
        onBegun(backup)
      },
      onWritten: publication.publish,
      onProgress: createProgressLog(context, id, 'backup:progress', request.onProgress),
      signal: run.signal
    })
  } catch (error) {
    const shown = publicError(error)
    await publication.fail(shown)
    if (!(error instanceof SlotTaken)) events.emit('backup:failed', { id, schema, error: shown })
    throw shown
  } finally {
    run.end()
  }
  const backup = await getBackup(context, id)
  events.emit('backup:completed', backup)
  await pruneAfterRun(context, schema, trigger)
  return backup
}

export interface Publication {
  /** Notes the run as running. Throws SlotTaken when its slot is another's. */
  begin: () => Promise<void>
  publish: (written: WrittenSnapshot) => Promise<void>
  /** Leaves no file, and a `failed` row unless the run never had a right to one. Never rejects. */
  fail: (error: Error) => Promise<void>
}

/** The life of one snapshot's row and file. */
export function createPublication (context: Context, run: NewRun): Publication {
  const { log, storage, logger } = context
  const { id, filename } = run
  let begun = false
  let published = false

  return {
    async begin () {
      if (!await log.insert(run)) throw new SlotTaken()
      begun = true
    },
    async publish ({ manifest, sizeBytes, checksum }) {
      await storage.publish(spoolPath(context, id), filename)
      published = true
      if (!await log.complete(id, { sizeBytes, tableCount: manifest.totalTables, rowCount: manifest.totalRows, checksum })) {
        throw new Aborted('the run was taken for dead, and its row marked as failed')
      }
    },
    async fail (error) {
      try {
        await rm(spoolPath(context, id), { force: true })
        if (!begun) {
          if (deservesRow(error)) await log.insert(run, errorText(error))
          return
        }
        const wasRunning = await log.fail(id, errorText(error), isInterruption(error))
        // Completed after all, when the answer to complete() was lost: then the file is a good one
        const stands = published && !wasRunning && (await log.get(id))?.backup.status === 'completed'
        if (published && !stands) await storage.remove(filename)
      } catch (failure) {
        // Without the log nobody can say whether the file counts: healing does, when the database is back
        logger.warn({ id, reason: errorText(failure) }, 'a failed backup could not be noted in the log yet')
        context.requestHealing()
      }
    }
  }
}

/** A run that was cut off leaves its slot to another. */
const isInterruption = (error: Error): boolean => isOwnError(error, 'SHUTTING_DOWN') || isOwnError(error, 'DATABASE_UNAVAILABLE')

/** Failures of a run, not refusals of a call. */
const refusals = ['BUSY', 'SCHEMA_NOT_FOUND', 'SHUTTING_DOWN', 'ABORTED', 'DATABASE_UNAVAILABLE']
const deservesRow = (error: Error): boolean => !(error instanceof SlotTaken) && !refusals.some((name) => isOwnError(error, name))

