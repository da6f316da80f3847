import type { BackupLog } from '../log/backup-log.ts'
import type { LogSnapshot } from '../log/event-records.ts'
import type { LoggedBackup } from '../log/log-row.ts'
import type { Progress } from '../../types/index.ts'
import { type FeedEvent, toFeedEvents } from './derive-events.ts'

/** A run that reports progress. Several restores of one snapshot, into different schemas, may run at the same time. */
export type RunKey = { name: 'backup:progress', id: string } | { name: 'restore:progress', id: string, schema: string }

const textOf = (key: RunKey): string => JSON.stringify(key)

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
  ownProgress: (run: RunKey, progress: Progress) => FeedEvent | undefined
  /** Begins anew. */
  forget: () => void
}

interface RunInProgress {
  key: RunKey
  schemas: string[]
  progress: Progress | undefined
  /** The last progress in the log, as JSON. */
  logged: string
  /** The run is in this process, which reports progress more often than the log. */
  isOwn: boolean
}

/** By the text of the key. */
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
      const progress = [...running].flatMap(([text, run]) => loggedProgress(run, runningBefore.get(text)))
      const select = (isWanted: (transaction: bigint) => boolean): FeedEvent[] =>
        changes.events.filter(({ entry }) => isWanted(BigInt(entry.in))).flatMap(toFeedEvents)
      return {
        fresh: before === null ? [] : [...select((transaction) => !before.sees(transaction)), ...progress],
        since: (position) => select((transaction) => transaction >= position),
        position: changes.snapshot.oldest
      }
    },
    ownProgress ({ name, id, ...target }, progress) {
      const run = running.get(textOf({ name, id, ...target } as RunKey))
      if (run === undefined) return undefined
      run.isOwn = true
      return progressEvent(run, progress)
    },
    forget () {
      last = null
      running = new Map()
    }
  }
}

/** The runs of a row that is running or being restored. A pre_restore snapshot is part of a restore. */
function runsOf (
  { backup: { id, schema, status, trigger, progress, restores } }: LoggedBackup, before: RunsInProgress
): Array<[string, RunInProgress]> {
  const run = (key: RunKey, schemas: string[], progress: Progress | undefined): [string, RunInProgress] => {
    const text = textOf(key)
    const logged = JSON.stringify(progress ?? null)
    return [text, { key, schemas, progress, logged, isOwn: before.get(text)?.isOwn === true }]
  }
  if (status === 'running') {
    return trigger === 'pre_restore' ? [] : [run({ name: 'backup:progress', id }, [schema], progress)]
  }
  return restores.filter((restore) => restore.status === 'running').map((restore) =>
    run({ name: 'restore:progress', id, schema: restore.schema }, [schema, restore.schema], restore.progress))
}

/** The progress of a run of another process, if it has changed. */
function loggedProgress (run: RunInProgress, before: RunInProgress | undefined): FeedEvent[] {
  if (run.progress === undefined || run.isOwn || run.logged === before?.logged) return []
  return [progressEvent(run, run.progress)]
}

const progressEvent = ({ key: { name, ...about }, schemas }: RunInProgress, progress: Progress): FeedEvent =>
  ({ name, schemas, data: () => ({ ...about, progress }) })
