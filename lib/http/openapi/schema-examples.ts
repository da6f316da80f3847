const id = '9b1c7d5e-0c1f-4c3a-9a51-6f5f3b1f2a77'
const preRestoreId = '2f0e5a34-5a0e-4d8c-8a6e-0d7f3c1b9e10'
const time = '2026-11-22T17:45:00.123Z'
const checksum = 'sha256:3f1c8e0b6a5d4c2f9e7b1a0d8c6f5e4b3a29180716253443526170899fabcdef'

const restore = {
  status: 'completed',
  schema: 'public',
  startedAt: '2026-11-23T08:12:00.000Z',
  finishedAt: '2026-11-23T08:12:00.240Z',
  by: 'ada@example.com',
  preRestoreId,
  error: null,
  errorCode: null
}

const backup = {
  id,
  schema: 'public',
  filename: 'public_2026-11-22T17-45-00-123Z.json',
  status: 'restored',
  trigger: 'manual',
  compression: 'none',
  sizeBytes: 4096,
  storedBytes: 4096,
  tableCount: 1,
  rowCount: 2,
  checksum,
  available: true,
  error: null,
  errorCode: null,
  createdBy: 'ada@example.com',
  cron: null,
  note: 'before the migration',
  origin: null,
  partial: false,
  excludedTables: [],
  pinned: false,
  suspect: null,
  accepted: false,
  held: false,
  warnings: [],
  verification: { ok: true, at: '2026-11-22T18:00:00.000Z', problems: [] },
  startedAt: time,
  finishedAt: '2026-11-22T17:45:01.456Z',
  durationMs: 1333,
  restoredAt: restore.finishedAt,
  restoredBy: restore.by,
  restore,
  restores: [restore]
}

/** An example of each body, by the title of its schema. None of an error: each status would need its own. */
export const examples: Record<string, unknown> = {
  Backup: backup,
  BackupList: { backups: [backup], next: null },
  Manifest: {
    version: 1,
    id,
    schema: 'public',
    createdAt: time,
    trigger: 'manual',
    note: 'before the migration',
    database: 'shop',
    postgres: '18.4',
    tables: [{
      name: 'users',
      rows: 2,
      offset: 946,
      bytes: 56,
      checksum,
      columns: [{ name: 'id', type: 'bigint' }, { name: 'name', type: 'text' }]
    }],
    sequences: [{ name: 'users_id_seq', ownedBy: 'users.id', lastValue: '2', isCalled: true }],
    totalRows: 2,
    totalTables: 1,
    checksum
  },
  Status: {
    healthy: true,
    problems: [],
    allowRestore: true,
    can: { create: true, restore: true, import: true, remove: true },
    nextRunAt: '2026-11-23T00:00:00.000Z',
    running: [],
    newest: [backup],
    newestGood: [{ schema: 'public', backup }],
    newestNext: null,
    bytesHeld: 4096
  },
  Verification: { ok: true, problems: [] },
  RestorePlan: {
    id,
    schema: 'public',
    tables: [{ name: 'users', rowsNow: 3, rowsAfter: 2 }],
    untouched: ['audit_logs'],
    drift: [],
    sequences: [{ name: 'users_id_seq', now: '3', after: '2' }],
    warnings: [],
    ok: true
  },
  RestoreResult: {
    id,
    preRestoreId,
    schema: 'public',
    tables: [{ name: 'users', rows: 2 }],
    rowCount: 2,
    drift: [],
    durationMs: 240,
    phases: { startMs: 15, verifyMs: 20, planMs: 20, lockMs: 5, snapshotMs: 70, loadMs: 100, finishMs: 10 }
  },
  CreateArguments: { note: 'before the migration', excludeTables: ['sessions'] },
  UpdateArguments: { pinned: true, note: 'keep' },
  PlanArguments: { tables: ['users', 'orders'] },
  RestoreArguments: { tables: ['users', 'orders'], allowSchemaDrift: false }
}
