import { rm } from 'node:fs/promises'
import { Aborted, Busy, StorageFailed } from '../errors.ts'
import type { NewRun } from '../log/run-records.ts'
import { isFull } from '../retention/guarded-snapshot.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { Backup, CompletedBackup } from '../../types/index.ts'
import { type Context, spoolPath } from '../runs/context.ts'
import { errorText, loggedError } from '../runs/public-error.ts'
import { hasOutcome } from '../log/completed-backup.ts'
import { countRows, findSuspectTables } from './holds.ts'
import { isTransient } from '../runs/transient-failure.ts'

/** Another run has claimed the slot. */
export class SlotTaken extends Error {}

/**
 * The row and the file of one snapshot. The row is inserted first; the file exists only while the row is running or
 * completed; the row becomes `completed` last.
 */
export interface SnapshotRecord {
  /**
   * Inserts the row as running. Throws SlotTaken when another run has claimed the slot, and FST_BACKUP_BUSY when
   * another replica began in the same millisecond and has claimed the file name. An import takes the next millisecond
   * instead: nothing depends on its exact time, and its file took long to arrive.
   */
  begin: () => Promise<Backup>
  /** Whether the log may contain a row of this run. */
  hasBegun: () => boolean
  /** Puts the file into the storage, then marks the row as completed. */
  publish: (written: WrittenSnapshot) => Promise<void>
  isCompleted: () => boolean
  /**
   * After a failure, removes the file and marks the row as `failed`; a run that could not begin gets such a row, too.
   * If the backup turns out to be completed, because only the answer of the database was lost, nothing changes. Never
   * rejects: healing does later what cannot be done now.
   */
  fail: (failure: Error) => Promise<void>
  /** The completed backup. If it is not completed, throws the failure that fail() received. */
  outcome: () => CompletedBackup
}

interface State {
  run: NewRun
  /** The log may contain the row. */
  begun: boolean
  /** The storage may contain the file. */
  published: boolean
  completed: CompletedBackup | undefined
  failure: Error | undefined
}

export function createSnapshotRecord (context: Context, run: NewRun): SnapshotRecord {
  const state: State = { run, begun: false, published: false, completed: undefined, failure: undefined }
  return {
    begin: async () => await begin(context, state),
    hasBegun: () => state.begun,
    publish: async (written) => { await publish(context, state, written) },
    isCompleted: () => state.completed !== undefined,
    fail: async (failure) => { await fail(context, state, failure) },
    outcome () {
      if (state.completed === undefined) throw state.failure
      return state.completed
    }
  }
}

async function begin ({ log }: Context, state: State): Promise<Backup> {
  // Set before the answer arrives: if the answer is lost, the row may exist
  state.begun = true
  let inserted = await log.insert(state.run)
  while (inserted === undefined && state.run.trigger === 'import') {
    state.run = millisecondLater(state.run)
    inserted = await log.insert(state.run)
  }
  state.begun = inserted !== undefined
  if (inserted !== undefined) return { ...inserted.backup, available: false, held: false }
  const { schema, slot } = state.run
  throw slot === null
    ? new Busy(`another backup of the schema ${schema} began in the same millisecond`)
    : new SlotTaken()
}

function millisecondLater (run: NewRun): NewRun {
  const startedAt = new Date(run.startedAt.getTime() + 1)
  return { ...run, startedAt, filename: snapshotFilename(run.schema, startedAt, run.compression) }
}

async function publish (context: Context, state: State, written: WrittenSnapshot): Promise<void> {
  const { log, storage } = context
  const { id, schema, filename, trigger } = state.run
  const { manifest, sizeBytes, storedBytes, warnings = [], excludedTables = [] } = written
  const rowCounts = trigger === 'import' ? null : countRows(manifest, excludedTables)
  if (await log.markFilePossible(id) === undefined) throw lostRow()
  const [existing, suspect] = await Promise.all([
    storage.stat(filename),
    rowCounts !== null && isFull(state.run) ? findSuspectTables(context, schema, rowCounts) : null
  ])
  // Before `published` is set, so that a failure does not remove the file of another backup
  if (existing !== null) throw new StorageFailed('publish the snapshot', `the name ${filename} is taken`)
  // Again, since the run may have taken long
  await context.presence.require()
  state.published = true
  await storage.publish(spoolPath(context, id), filename)
  const { totalTables: tableCount, totalRows: rowCount, checksum } = manifest
  const logged = await log.complete(id, {
    sizeBytes, storedBytes, tableCount, rowCount, checksum, warnings, rowCounts, suspect
  })
  if (logged === undefined || !hasOutcome(logged.backup)) throw lostRow()
  state.completed = { ...logged.backup, status: 'completed', available: true, held: false }
}

const lostRow = (): Error =>
  new Aborted('the row of the run in the log was marked as failed, or removed, while the run was in progress')

async function fail (context: Context, state: State, failure: Error): Promise<void> {
  const { id } = state.run
  state.failure = failure
  try {
    await recordFailure(context, state, failure)
  } catch (error) {
    // Only the log knows whether the file belongs to a completed backup, so healing decides when the database is back
    context.logger.warn(
      { id, reason: errorText(error) }, 'a failed backup could not be recorded or cleaned up yet; retrying'
    )
    context.requestHealing()
  }
  // If this fails, healing removes the file
  await rm(spoolPath(context, id), { force: true }).catch(() => {})
}

async function recordFailure ({ log, storage }: Context, state: State, failure: Error): Promise<void> {
  const { run, run: { id, filename } } = state
  // A run that was aborted, or that failed for a transient reason, leaves its slot to another attempt
  const releasesSlot = isTransient(failure)
  if (!state.begun) {
    const inserted = await log.insert(releasesSlot ? { ...run, slot: null } : run, loggedError(failure))
    state.begun = inserted !== undefined
    return
  }
  if (await log.fail(id, loggedError(failure), releasesSlot) === undefined) {
    const logged = await log.get(id)
    if (logged !== undefined && hasOutcome(logged.backup)) {
      state.completed = { ...logged.backup, status: 'completed', available: true, held: false }
      return
    }
  }
  if (state.published) await storage.remove(filename)
  await log.markFileAbsent(id)
}
