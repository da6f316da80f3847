import { randomUUID } from 'node:crypto'
import type { NewRun } from '../log/run-records.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { Backup, CreateOptions } from '../../types/index.ts'
import { checkArguments } from '../arguments/check-arguments.ts'
import { requireAllowed } from '../callers/schema-access.ts'
import { type Context, logTable, spoolPath } from '../runs/context.ts'
import type { Begun } from './backup-engine.ts'
import { type ErrorCode, isOwnError } from '../own-error.ts'
import { outcomeOf } from '../runs/public-error.ts'
import { createProgressLog } from '../runs/report-progress.ts'
import { pruneAfterRun } from '../consistency/prune-schema.ts'
import { createPublication, type Publication, SlotTaken } from '../consistency/publish-snapshot.ts'
import type { Run } from '../runs/active-runs.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'

/** The slot that a scheduled run serves, and the schedule it comes from. */
export interface Occasion { slot: Date, cron: string }

/** Rejects with SlotTaken when another run has claimed the slot of the occasion. */
export async function beginCreate (context: Context, request: CreateOptions = {}, occasion: Occasion | null = null): Promise<Begun<Backup>> {
  checkArguments('create', request)
  const schema = requireAllowed(context, request.schema ?? context.options.schema)
  await context.log.prepare()
  await requireOwnStorage(context)
  await context.presence.require()
  const run = await context.runs.begin(request.signal)
  const newRun: NewRun = {
    id: randomUUID(),
    schema,
    filename: snapshotFilename(schema, run.startedAt),
    trigger: occasion === null ? 'manual' : 'scheduled',
    createdBy: request.actor ?? null,
    cron: occasion?.cron ?? null,
    note: request.note ?? null,
    startedAt: run.startedAt,
    slot: occasion?.slot ?? null,
    partial: (request.excludeTables ?? []).length > 0
  }
  return await new Promise((resolve, reject) => {
    const finished = performCreate(context, newRun, request, run, (backup) => { resolve({ backup, finished }) }).finally(run.end)
    // Told by way of the promise above when the run never began
    finished.catch(reject)
  })
}

async function performCreate (context: Context, newRun: NewRun, request: CreateOptions, run: Run, onBegun: (backup: Backup) => void): Promise<Backup> {
  const { events } = context
  const { id, schema, trigger } = newRun
  const publication = createPublication(context, newRun)
  try {
    const backup = await writeBackup(context, newRun, request, run, publication, onBegun)
    events.emit('backup:completed', backup)
    if (backup.suspect !== null) reportSuspect(context, backup)
    await pruneAfterRun(context, schema, trigger, id)
    return backup
  } catch (error) {
    if (publication.hasBegun()) events.emit('backup:failed', { id, schema, error: error as Error })
    throw error
  }
}

function reportSuspect ({ events, logger }: Context, backup: Backup): void {
  const { id, schema, suspect } = backup
  logger.warn({ id, schema, suspect }, 'a backup holds far fewer rows than those before it, which are held until this one is accepted or a restore succeeds')
  events.emit('backup:suspect', backup)
}

async function writeBackup (context: Context, newRun: NewRun, request: CreateOptions, run: Run, publication: Publication, onBegun: (backup: Backup) => void): Promise<Backup> {
  const { options, runner, events, presence } = context
  const { id, schema, trigger, note, startedAt } = newRun
  try {
    await context.adoptLost()
    await runner.takeSnapshot({
      id,
      schema,
      trigger,
      note,
      createdAt: startedAt.toISOString(),
      partial: newRun.partial,
      spoolPath: spoolPath(context, id),
      excludeTables: [...options.excludeTables, ...request.excludeTables ?? []],
      logTable: logTable(context)
    }, {
      async onLocked () {
        await presence.prepare()
        const backup = await publication.begin()
        events.emit('backup:started', backup)
        onBegun(backup)
      },
      onWritten: publication.publish,
      onProgress: createProgressLog(context, id, 'backup:progress', request.onProgress),
      signal: run.signal
    })
  } catch (error) {
    if (error instanceof SlotTaken) throw error
    const failure = outcomeOf(error, run.signal)
    if (publication.hasBegun() || !isRefusal(failure)) await publication.settle(failure)
    else throw failure
  }
  return publication.outcome()
}

/** Refusals of a call, rather than runs that failed before they could begin. */
const refusals: ErrorCode[] = ['BUSY', 'SCHEMA_NOT_FOUND', 'SHUTTING_DOWN', 'ABORTED', 'DATABASE_UNAVAILABLE', 'DATABASE_INSECURE']
const isRefusal = (failure: Error): boolean => refusals.some((name) => isOwnError(failure, name))
