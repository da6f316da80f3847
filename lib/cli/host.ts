import type { BackupLogger, BackupServiceOptions, StandaloneBackupService } from '../../types/index.ts'

/** A stream that may be a terminal. */
export type Input = NodeJS.ReadableStream & { isTTY?: boolean | undefined }
export type Output = NodeJS.WritableStream & { isTTY?: boolean | undefined, columns?: number | undefined }

/** What the command line uses of its process. */
export interface Host {
  /** Without the program and the script. */
  args: string[]
  env: NodeJS.ProcessEnv
  /** The directory of the configuration file, and of relative paths. */
  cwd: string
  stdin: Input
  stdout: Output
  stderr: Output
  /** Aborts on the first SIGINT, SIGTERM or SIGHUP. */
  interrupted: AbortSignal
  /** The user of the operating system, recorded as `createdBy`; null if it has no name. */
  user: string | null
  createService: (
    options: BackupServiceOptions, dependencies: { logger: BackupLogger }
  ) => StandaloneBackupService
}

/** The exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unhealthy: 3, interrupted: 130 } as const

/** A mistake in the arguments or in the configuration. */
export class UsageError extends Error {
  readonly code: string
  constructor (message: string, code = 'USAGE') {
    super(message)
    this.name = 'UsageError'
    this.code = code
  }
}

/** A signal or Ctrl-C at a prompt ended the command. */
export class Interrupted extends Error {
  readonly code = 'INTERRUPTED'
  constructor () {
    super('interrupted')
  }
}
