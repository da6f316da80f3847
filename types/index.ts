/**
 * Terms: a **snapshot** is one JSON file; a **backup** is the run that takes a snapshot, one row of `backup_logs`; a
 * **restore** replaces the rows of a schema by those of a snapshot; the **storage** contains the snapshot files; a
 * **slot** is a time at which the schedule requires a backup.
 */
export * from './backup.ts'
export * from './manifest.ts'
export * from './options.ts'
export * from './restore.ts'
export * from './service.ts'
export * from './status.ts'
export * from './storage.ts'
export * from './tracing.ts'
