import type { Backup, Status } from '../../../types/index.ts'

/** How old the newest good snapshots are. The oldest of them counts: a schema that is backed up hides no other. */
export interface Freshness {
  schemas: number
  /** The schemas that have snapshots, and no good one. */
  withoutGood: string[]
  stalest: Backup | null
}

/**
 * Of the schemas of which the schedule made the newest snapshot or the newest good one, since others may be old on
 * purpose; without such, of all. Scheduled schemas without any snapshot are a problem of the status.
 */
export function toFreshness ({ newest, newestGood }: Pick<Status, 'newest' | 'newestGood'>): Freshness {
  const isScheduled = (backup: Backup | null): boolean => backup?.trigger === 'scheduled'
  const scheduled = new Set(newest.filter(isScheduled).map(({ schema }) => schema))
  for (const { schema, backup } of newestGood) if (isScheduled(backup)) scheduled.add(schema)
  const counted = scheduled.size > 0 ? newestGood.filter(({ schema }) => scheduled.has(schema)) : newestGood
  const good = counted.flatMap(({ backup }) => backup ?? []).sort((a, b) => a.startedAt.localeCompare(b.startedAt))
  return {
    schemas: counted.length,
    withoutGood: counted.filter(({ backup }) => backup === null).map(({ schema }) => schema),
    stalest: good[0] ?? null
  }
}
