import type { BackupLog } from '../log/backup-log.ts'
import type { LogSnapshot } from '../log/event-records.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Progress } from '../../types/index.ts'
import { type FeedEvent, toFeedEvents } from './derive-events.ts'

export type ProgressName = 'backup:progress' | 'restore:progress'

export interface Reading {
  /** What no earlier reading contained; empty in the first one. */
  fresh: FeedEvent[]
  /** The events of this transaction and of later ones. */
  since: (transaction: bigint) => FeedEvent[]
  /** Every event of an earlier transaction is in this reading or in one before it. */
  position: bigint
}

/** Reads the events of all replicas from the log, each of them once. */
export interface FeedReader {
  /** @param after a position to read again from, or null */
  read: (after: bigint | null) => Promise<Reading>
  /** The progress of a run of this process; undefined when the start of the run has not been read yet. */
  ownProgress: (name: ProgressName, id: string, progress: Progress) => FeedEvent | undefined
  /** Begins anew. */
  forget: () => void
}

interface RunInProgress {
  schemas: string[]
  /** The last progress in the log, as JSON. */
  logged: string
  /** The run is in this process, which reports progress more often than the log. */
  isOwn: boolean
}

/** By the name of the event and the id of the backup. */
type RunsInProgress = Map<string, RunInProgress>

export function createFeedReader (log: Pick<BackupLog, 'changes'>): FeedReader {
  /** What the last reading was made from; null before the first one. */
  let last: LogSnapshot | null = null
  let running: RunsInProgress = new Map()

  return {
    async read (after) {
      const before = last
      const changes = await log.changes(before, after)
      last = changes.snapshot
      const runningBefore = running
      running = new Map(changes.running.flatMap((logged) => runsOf(logged, runningBefore)))
      const progress = changes.running.flatMap((logged) => loggedProgress(logged, running, runningBefore))
      const select = (isWanted: (transaction: bigint) => boolean): FeedEvent[] =>
        changes.events.filter(({ entry }) => isWanted(BigInt(entry.in))).flatMap(toFeedEvents)
      return {
        fresh: before === null ? [] : [...select((transaction) => !before.sees(transaction)), ...progress],
        since: (position) => select((transaction) => transaction >= position),
        position: changes.snapshot.oldest
      }
    },
    ownProgress (name, id, progress) {
      const run = running.get(`${name} ${id}`)
      if (run === undefined) return undefined
      run.isOwn = true
      return progressEvent(name, id, run.schemas, progress)
    },
    forget () {
      last = null
      running = new Map()
    }
  }
}

/** The run of a row that is running or being restored. A pre_restore snapshot is part of a restore. */
function runsOf (
  { backup: { id, schema, status, trigger, progress }, restoreSchema }: LoggedBackup, before: RunsInProgress
): Array<[string, RunInProgress]> {
  const run = (name: ProgressName, schemas: string[]): [string, RunInProgress] => {
    const key = `${name} ${id}`
    return [key, { schemas, logged: JSON.stringify(progress ?? null), isOwn: before.get(key)?.isOwn === true }]
  }
  if (status === 'running') return trigger === 'pre_restore' ? [] : [run('backup:progress', [schema])]
  const schemas = [schema, restoreSchema].filter((name) => name !== null)
  return [run('restore:progress', schemas)]
}

/** The progress of a run of another process, if it has changed. */
function loggedProgress (
  { backup: { id, progress } }: LoggedBackup, running: RunsInProgress, before: RunsInProgress
): FeedEvent[] {
  if (progress === undefined) return []
  return (['backup:progress', 'restore:progress'] as const).flatMap((name) => {
    const run = running.get(`${name} ${id}`)
    if (run === undefined || run.isOwn || run.logged === before.get(`${name} ${id}`)?.logged) return []
    return [progressEvent(name, id, run.schemas, progress)]
  })
}

const progressEvent = (name: ProgressName, id: string, schemas: string[], progress: Progress): FeedEvent =>
  ({ name, schemas, data: () => ({ id, progress }) })
