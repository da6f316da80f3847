export { backupPlugin, backupPlugin as default } from './plugin.ts'
export { createBackupService } from './create-backup-service.ts'
/** The classes of the errors, for `instanceof`. */
export * as errors from './errors.ts'
export { isBackupError, type BackupError, type BackupErrorCode } from './own-error.ts'
export * from '../types/index.ts'
