import type { Backup, BackupTrigger, ProblemCode, Progress } from '../../types/index.ts'

export const triggerNames: Record<BackupTrigger, string> = {
  manual: 'manual', scheduled: 'scheduled', pre_restore: 'before a restore', import: 'import'
}

/** The titles of the problems of the status, whose messages say what to do. */
export const problemTitles: Record<ProblemCode, string> = {
  database_unavailable: 'The database is not available',
  log_unusable: 'The log of backups cannot be read',
  clock_differs: 'The clocks of the service and the database differ',
  storage_unavailable: 'The storage is not available',
  storage_missing: 'The storage is not the one of this service',
  storage_taken: 'The storage belongs to another service',
  files_missing: 'Snapshot files are missing',
  files_unknown: 'The storage has files that are not in the list',
  run_failed: 'The last run failed',
  schemas_unknown: 'The list of schemas to back up is not known',
  schema_missing: 'A scheduled schema does not exist',
  snapshot_too_old: 'The newest snapshot is too old',
  snapshot_damaged: 'A snapshot file is damaged',
  suspect_snapshot: 'A snapshot is much smaller than the ones before',
  file_undeletable: 'A file cannot be deleted',
  snapshot_in_future: 'A snapshot is dated in the future'
}

export const phaseNames: Record<Progress['phase'], string> = {
  verify: 'Checking the file', snapshot: 'Taking a snapshot', load: 'Loading rows', count: 'Counting rows'
}

/** What to do after a failure, by the code of the error. */
export const remedies: Record<string, string> = {
  FST_BACKUP_ABORTED: 'The run was interrupted. Start it again.',
  FST_BACKUP_BUSY: 'Another run holds this schema. Wait until it has ended, then try again.',
  FST_BACKUP_CANNOT_RESTORE: 'Correct what the message names, then count the rows again.',
  FST_BACKUP_CANNOT_SNAPSHOT: 'Correct what the message names, or leave these tables out.',
  FST_BACKUP_CATALOG_UNSTABLE: 'Wait until the tables are no longer changed, then try again.',
  FST_BACKUP_COMPRESSION_UNSUPPORTED: 'Run the service with Node.js 22.15 or newer, which can read zstd.',
  FST_BACKUP_DATABASE_FAILED: 'Look up the SQLSTATE in the log of the database, correct the cause, then try again.',
  FST_BACKUP_DATABASE_UNAVAILABLE: 'Check that the database runs and accepts connections, then try again.',
  FST_BACKUP_FILE_GONE: 'Bring the file back into the storage, or use another snapshot.',
  FST_BACKUP_LOCK_TIMEOUT: 'End the transactions that hold the tables, or try again when there is less traffic.',
  FST_BACKUP_RESTORE_FAILED: 'Correct the rows or the constraint that the message names, then try again.',
  FST_BACKUP_RESTORE_NOT_ALLOWED: 'Register the plugin with allowRestore: true.',
  FST_BACKUP_RESTORE_UNCERTAIN: 'Compare the rows with the snapshot before you try again.',
  FST_BACKUP_SCHEMA_DRIFT: 'Change the schema back, or skip what no longer exists.',
  FST_BACKUP_SHUTTING_DOWN: 'The service is restarting. Try again in a moment.',
  FST_BACKUP_SNAPSHOT_INVALID: 'The file is damaged. Restore another snapshot.',
  FST_BACKUP_STORAGE_FAILED: 'Check that the storage can be reached and written to, then try again.',
  FST_BACKUP_STORAGE_FULL: 'Free space in the storage, then try again.',
  FST_BACKUP_STORAGE_MISSING: 'Mount the storage of this service, then try again.',
  FST_BACKUP_UNEXPECTED: 'Look at the log of the service, and report the error.',
  FST_BACKUP_WORKER_FAILED: 'Check the memory of the service, then try again.'
}

/** The state of a backup in one word, and how it is colored. */
export function stateOf (backup: Backup): { name: string, tone: 'good' | 'bad' | 'warn' | 'busy' | 'plain' } {
  if (backup.status === 'running') return { name: 'running', tone: 'busy' }
  if (backup.status === 'failed') return { name: 'failed', tone: 'bad' }
  if (backup.restore?.status === 'running') return { name: 'being restored', tone: 'busy' }
  if (!backup.available) return { name: 'file not available', tone: 'bad' }
  return backup.status === 'restored' ? { name: 'restored', tone: 'good' } : { name: 'completed', tone: 'good' }
}
