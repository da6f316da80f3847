import type { Sql } from '../postgres/driver/connection.ts'
import { adoptions } from './adoptions.ts'
import { deadRuns } from './dead-runs.ts'
import { eventRecords } from './event-records.ts'
import { healthRecords } from './health-records.ts'
import { createLogAccess } from './log-access.ts'
import { logIdentity } from './log-identity.ts'
import { logReader } from './log-reader.ts'
import { metricRecords } from './metric-records.ts'
import { removals } from './removals.ts'
import { restoreRecords } from './restore-records.ts'
import { runRecords } from './run-records.ts'
import { slotAttempts } from './slot-attempts.ts'
import { updates } from './updates.ts'

/** The table `backup_logs`; only this folder contains its SQL. Every method rejects with a public error. */
export type BackupLog = ReturnType<typeof createBackupLog>

/** Does not connect: the first call of a method does, and creates the table. */
export function createBackupLog (sql: Sql, schema: string, now: () => Date) {
  const access = createLogAccess(sql, schema, now)
  return {
    prepare: access.prepare,
    possibleNames: access.possibleNames,
    ...runRecords(access),
    ...slotAttempts(access),
    ...restoreRecords(access),
    ...logReader(access),
    ...healthRecords(access),
    ...eventRecords(access),
    ...metricRecords(access),
    ...removals(access),
    ...deadRuns(access),
    ...adoptions(access),
    ...logIdentity(access),
    ...updates(access)
  }
}
