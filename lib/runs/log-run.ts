import { codeOf, isInterruption, setLogged } from '../own-error.ts'
import type { Context } from './context.ts'
import { publicError } from './public-error.ts'

/** Properties of a log line: names, counts and durations, never row data. */
type Details = Record<string, unknown>

type Level = 'debug' | 'info' | 'warn' | 'error'

/** The log lines of one run: one when it begins, and one when it ends. */
export interface RunLog {
  /**
   * Does nothing the second time: a run may be attempted again.
   * @param level @defaultValue that of the run
   */
  begin: (details?: Details, level?: Level) => void
  /** @param level @defaultValue that of the run */
  end: (details: Details, level?: Level) => void
  /** Logs code and message of a public error, at level warn if the caller or a shutdown has ended the run. */
  fail: (error: unknown) => void
  /** A part of the run has begun. */
  phase: (phase: string) => void
}

/**
 * @param subject the first word of each message
 * @param common properties of each line
 * @param level of the first line and, after success, of the last
 */
export function createRunLog (
  { logger }: Pick<Context, 'logger'>, subject: string, common: Details, level: 'info' | 'warn' = 'info'
): RunLog {
  const createdAt = performance.now()
  const durationMs = (): number => Math.round(performance.now() - createdAt)
  let hasBegun = false

  function write (lineLevel: Level, details: Details, message: string): void {
    logger[lineLevel]({ ...common, ...details }, `${subject} ${message}`)
  }

  return {
    begin (details = {}, beginLevel = level) {
      if (!hasBegun) write(beginLevel, details, 'started')
      hasBegun = true
    },
    end (details, endLevel = level) { write(endLevel, { durationMs: durationMs(), ...details }, 'completed') },
    fail (error) {
      const failure = publicError(error)
      const details = { code: codeOf(failure), reason: failure.message, durationMs: durationMs() }
      write(isInterruption(failure) ? 'warn' : 'error', details, 'failed')
      setLogged(error)
    },
    phase (phase) { write('debug', { phase }, `is in phase ${phase}`) }
  }
}

/** The properties of a completed backup for its log line. */
export const completedDetails = (
  { tableCount: tables, rowCount: rows, sizeBytes: bytes, durationMs }:
  Record<'tableCount' | 'rowCount' | 'sizeBytes' | 'durationMs', number | null>
): Details => ({ tables, rows, bytes, durationMs })
