import { rm } from 'node:fs/promises'
import { Aborted, Busy, StorageFailed } from '../errors.ts'
import type { NewRun } from '../log/run-records.ts'
import { isFull } from '../retention/guarded-snapshot.ts'
import { snapshotFilename } from '../snapshot/file-format.ts'
import type { WrittenSnapshot } from '../snapshot/snapshot-writer.ts'
import type { Backup } from '../../types/index.ts'
import { type Context, spoolPath } from '../runs/context.ts'
import { errorText } from '../runs/public-error.ts'
import { hasSnapshot } from '../log/completed-backup.ts'
import { countRows, findSuspectTables } from './holds.ts'
import { mayPass } from '../runs/transient-failure.ts'

/** Another replica serves the slot. */
export class SlotTaken extends Error {}

/** The life of one snapshot's row and file: the row first, the file while the row is running, and `completed` last. */
export interface Publication {
  /**
   * Notes the run as running. Throws SlotTaken when its slot is another's, and FST_BACKUP_BUSY when its file's name is: another replica began
   * in the same millisecond, and was first. An import, which nothing else tells the time of and which took long to arrive, takes the next one.
   */
  begin: () => Promise<Backup>
  /** Whether the log may hold a row of this run. */
  hasBegun: () => boolean
  /** Puts the file into the storage, then the row to completed. */
  publish: (written: WrittenSnapshot) => Promise<void>
  /** Whether the snapshot is there to stay. */
  isCompleted: () => boolean
  /**
   * After a failure: leaves no file and a `failed` row, also of a run that could not begin. Or finds out that the backup is completed all
   * the same, because only the answer of the database was lost. Never rejects: what can't be done now is left to healing.
   */
  settle: (failure: Error) => Promise<void>
  /** The completed backup. Throws what settle() was told when it is not completed. */
  outcome: () => Backup
}

export function createPublication (context: Context, wanted: NewRun): Publication {
  const { log, storage, logger } = context
  const { id } = wanted
  let run = wanted
  let begun = false
  let published: 'no' | 'perhaps' | 'yes' = 'no'
  let completed: Backup | undefined
  let failed: Error | undefined

  async function noteFailure (failure: Error): Promise<void> {
    if (!begun) {
      begun = await log.insert(leavesSlot(failure) ? { ...run, slot: null } : run, errorText(failure)) !== undefined
      return
    }
    if (await log.fail(id, errorText(failure), leavesSlot(failure)) === undefined) {
      const logged = await log.get(id)
      if (logged !== undefined && hasSnapshot(logged.backup)) {
        completed = { ...logged.backup, available: true, held: false }
        return
      }
    }
    if (published !== 'no') await storage.remove(run.filename)
    await log.forgetFile(id)
  }

  return {
    hasBegun: () => begun,
    isCompleted: () => completed !== undefined,
    async begin () {
      // Before the answer, which may be lost when the row is there
      begun = true
      let inserted = await log.insert(run)
      while (inserted === undefined && run.trigger === 'import') {
        run = millisecondLater(run)
        inserted = await log.insert(run)
      }
      begun = inserted !== undefined
      if (inserted === undefined) throw run.slot === null ? new Busy(`another backup of the schema ${run.schema} began in the same millisecond`) : new SlotTaken()
      return { ...inserted.backup, available: false, held: false }
    },
    async publish ({ manifest, sizeBytes, checksum, warnings = [], excludedTables = [] }) {
      const { filename } = run
      if (await log.expectFile(id) === undefined) throw takenForDead()
      // Somebody else's file, which a failure must not take along
      if (await storage.stat(filename) !== null) throw new StorageFailed('publish the snapshot', `the name ${filename} is taken`)
      const rowCounts = run.trigger === 'import' ? null : countRows(manifest, excludedTables)
      const suspect = rowCounts !== null && isFull(run) ? await findSuspectTables(context, run.schema, rowCounts) : null
      // The run may have taken long
      await context.presence.require()
      published = 'perhaps'
      await storage.publish(spoolPath(context, id), filename)
      published = 'yes'
      const logged = await log.complete(id, { sizeBytes, tableCount: manifest.totalTables, rowCount: manifest.totalRows, checksum, warnings, rowCounts, suspect })
      if (logged === undefined) throw takenForDead()
      completed = { ...logged.backup, available: true, held: false }
    },
    async settle (failure) {
      failed = failure
      try {
        await noteFailure(failure)
      } catch (error) {
        // Without the log nobody can say whether the file counts: healing does, when the database is back
        logger.warn({ id, reason: errorText(error) }, 'a failed backup could not be noted or cleared away yet')
        context.requestHealing()
      }
      // What resists, healing finds as well
      await rm(spoolPath(context, id), { force: true }).catch(() => {})
    },
    outcome () {
      if (completed === undefined) throw failed
      return completed
    }
  }
}

function millisecondLater (run: NewRun): NewRun {
  const startedAt = new Date(run.startedAt.getTime() + 1)
  return { ...run, startedAt, filename: snapshotFilename(run.schema, startedAt) }
}

const takenForDead = (): Error => new Aborted('the run was taken for dead, and its row in the log marked as failed or removed')

/** A run that was cut off, or that failed for a reason that may pass, leaves its slot to another attempt. */
const leavesSlot = mayPass
