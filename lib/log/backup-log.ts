import type { Sql } from '../postgres/driver/connection.ts'
import { adoptions } from './adoptions.ts'
import { deadRuns } from './dead-runs.ts'
import { healthRecords } from './health-records.ts'
import { createLogAccess } from './log-access.ts'
import { logIdentity } from './log-identity.ts'
import { logReader } from './log-reader.ts'
import { removals } from './removals.ts'
import { restoreRecords } from './restore-records.ts'
import { runRecords } from './run-records.ts'
import { slotAttempts } from './slot-attempts.ts'
import { updates } from './updates.ts'

/** `backup_logs`: its SQL is in this room and nowhere else. Every method rejects with an error that can leave the library. */
export type BackupLog = ReturnType<typeof createBackupLog>

/** Connects to nothing: the first call does, and makes the table. */
export function createBackupLog (sql: Sql, schema: string, now: () => Date) {
  const access = createLogAccess(sql, schema, now)
  return {
    prepare: access.prepare,
    ...runRecords(access),
    ...slotAttempts(access),
    ...restoreRecords(access),
    ...logReader(access),
    ...healthRecords(access),
    ...removals(access),
    ...deadRuns(access),
    ...adoptions(access),
    ...logIdentity(access),
    ...updates(access)
  }
}
