import type { BackupLog } from '../log/backup-log.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Progress } from '../../types/index.ts'
import { deriveEvents, type FeedEvent } from './derive-events.ts'

export type ProgressName = 'backup:progress' | 'restore:progress'

export interface Reading {
  /** What no earlier reading contained; empty in the first one. */
  fresh: FeedEvent[]
  /** Every event since the oldest position that was asked for. */
  all: FeedEvent[]
  /** Where the next reading begins. */
  position: bigint
}

/** Reads the events of all replicas from the log, and remembers which of them it has read. */
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
  /** Everything before it has been read; null before the first reading. */
  let last: bigint | null = null
  /** Keys of the events since that position that have been read. */
  let seen = new Set<string>()
  let running: RunsInProgress = new Map()

  return {
    async read (after) {
      const from = last
      const changes = await log.changes(from === null || (after !== null && after < from) ? after : from)
      const { events, pending } = deriveEvents(changes.changed, changes.now)
      const fresh = events.filter(({ in: transaction, key }) => from !== null && transaction >= from && !seen.has(key))
      const positions: [bigint, ...bigint[]] = [changes.position, ...pending]
      const [position] = positions.sort((a, b) => Number(a - b))
      last = position
      seen = new Set(events.filter((event) => event.in >= position).map(({ key }) => key))
      const before = running
      running = new Map(changes.running.flatMap((logged) => runsOf(logged, before)))
      const progress = changes.running.flatMap((logged) => loggedProgress(logged, running, before))
      return { fresh: from === null ? [] : [...fresh, ...progress], all: events, position }
    },
    ownProgress (name, id, progress) {
      const run = running.get(`${name} ${id}`)
      if (run === undefined) return undefined
      run.isOwn = true
      return progressEvent(name, id, run.schemas, progress)
    },
    forget () {
      last = null
      seen = new Set()
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

/** It has no transaction: a reader who continues later does not get it again. */
const progressEvent = (name: ProgressName, id: string, schemas: string[], progress: Progress): FeedEvent =>
  ({ name, in: 0n, key: '', schemas, data: () => ({ id, progress }) })
