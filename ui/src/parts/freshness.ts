import type { Backup, Status } from '../../../types/index.ts'

/** How old the newest good snapshots are. The oldest of them counts: a schema that is backed up hides no other. */
export interface Freshness {
  schemas: number
  /** The schemas whose newest snapshot is suspect, or has no file. Older good ones may exist. */
  withoutGood: string[]
  /** Of the good ones. */
  stalest: Backup | null
}

/**
 * Of the schemas whose newest snapshot the schedule made, since others may be old on purpose; without such, of all.
 * Scheduled schemas without any snapshot are a problem of the status.
 */
export function toFreshness ({ newest }: Pick<Status, 'newest'>): Freshness {
  const scheduled = newest.filter(({ trigger }) => trigger === 'scheduled')
  const counted = scheduled.length > 0 ? scheduled : newest
  const good = counted.filter(isGood).sort((a, b) => a.startedAt.localeCompare(b.startedAt))
  return {
    schemas: counted.length,
    withoutGood: counted.filter((backup) => !isGood(backup)).map(({ schema }) => schema),
    stalest: good[0] ?? null
  }
}

const isGood = ({ available, suspect, accepted }: Backup): boolean => available && (suspect === null || accepted)
