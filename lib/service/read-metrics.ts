import { isVisible } from '../callers/schema-access.ts'
import { findPendingSuspects } from '../consistency/holds.ts'
import type { Context } from '../runs/context.ts'
import type { BackupMetrics } from '../../types/index.ts'
import type { ScheduleView } from './read-status.ts'

/** Reads the log only: a scrape must not list the storage. */
export async function readMetrics (context: Context, schedule: ScheduleView | undefined): Promise<BackupMetrics> {
  const { log } = context
  const schemas = (await log.schemaMetrics()).filter(({ schema }) => isVisible(context, schema))
  const suspects = new Set((await findPendingSuspects(context)).map(({ schema }) => schema))
  return {
    schemas: schemas.map((metrics) => ({ ...metrics, suspects: suspects.has(metrics.schema) ? 1 : 0 })),
    runs: (await log.runCounters()).filter(({ schema }) => isVisible(context, schema)),
    nextSlotAt: schedule?.nextRunAt()?.toISOString() ?? null
  }
}
