/**
 * Terms: a **snapshot** is one JSON file; a **backup** is the run that made it, one row of `backup_logs`;
 * a **restore** puts a snapshot's rows back; the **storage** is where snapshot files live; a **slot** is a moment at
 * which the schedule wants a backup.
 */
export * from './backup.ts'
export * from './manifest.ts'
export * from './options.ts'
export * from './restore.ts'
export * from './service.ts'
export * from './status.ts'
export * from './storage.ts'
