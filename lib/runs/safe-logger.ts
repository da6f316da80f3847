import type { BackupLogger } from '../../types/index.ts'

/** A logger of the application must not fail a run: one of its serializers may throw, for example. */
export function createSafeLogger (logger: BackupLogger): BackupLogger {
  const write = (level: keyof BackupLogger): BackupLogger[typeof level] => (...line) => {
    try {
      logger[level](...line)
    } catch {
      // There is no other place to report it
    }
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
