import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { SnapshotJob } from '../../lib/backup/take-snapshot.ts'
import { testSchema } from '../support/database.ts'
import type { Place } from '../support/engine.ts'

/** The job of a manual backup of the tests' schema, whose spool file is in the directory of `place`. */
export const snapshotJob = ({ directory }: Place, id: string = randomUUID()): SnapshotJob => ({
  id,
  schema: testSchema,
  trigger: 'manual',
  note: null,
  partial: false,
  createdAt: '2026-11-22T17:45:00.123Z',
  spoolPath: join(directory, id),
  compression: null,
  excludeTables: [],
  excludedByCall: [],
  connections: 1,
  logTable: { schema: testSchema, name: 'backup_logs' }
})
