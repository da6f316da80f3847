import { existsSync } from 'node:fs'
import { DatabaseUnavailable } from '../errors.ts'
import type { SizeLimits } from '../postgres/catalog/small-schema.ts'
import { createSmallRunPool, poolSettings, type Sql } from '../postgres/driver/connection.ts'
import { createLocalRunner, type Runner } from './runner.ts'
import { withSmallRuns } from './small-runs.ts'
import { createWorkerRunner } from './worker-runner.ts'

/** How runs are divided between worker threads and the main thread. */
export interface WorkerSetup {
  /** The worker's file; undefined when it is missing. */
  entry: URL | undefined
  /** Within these limits a backup runs in the main thread; null for none. */
  smallRuns: SizeLimits | null
}

/**
 * To start a thread takes longer than to read this much. A backup within these limits takes a few milliseconds of the
 * main thread, in pieces.
 */
const smallRuns: SizeLimits = { tables: 50, bytes: 2 ** 20 }

export const defaultWorkers = (): WorkerSetup => ({ entry: entryBeside(import.meta.url), smallRuns })

/**
 * Returns the worker's file beside a module. Undefined when it is missing, as with a bundler that puts everything into
 * one file.
 * @param module the module's import.meta.url: undefined in a CommonJS bundle, and not always a file
 */
export function entryBeside (module: string | undefined): URL | undefined {
  if (module?.startsWith('file:') !== true) return undefined
  const entry = new URL('./backup-worker.js', module)
  return existsSync(entry) ? entry : undefined
}

/**
 * Creates a runner with worker threads, except for small backups, when `inWorkers` is set and they are possible. Calls
 * `warn` with the reason when they are not.
 */
export function createRunner (
  sql: Sql,
  inWorkers: boolean,
  { entry, smallRuns }: WorkerSetup,
  warn: (reason: string) => void
): Runner {
  if (!inWorkers) return createLocalRunner(sql)
  const settings = poolSettings(sql)
  if (settings !== undefined && entry !== undefined) {
    const workers = createWorkerRunner(settings, passwordOf(sql), entry)
    return smallRuns === null ? workers : withSmallRuns(workers, createSmallRunPool(sql), smallRuns)
  }
  warn(entry === undefined
    ? "the worker's file is missing, as in a bundle; keep fastify-backup out of the bundle"
    : 'the connection has a function that cannot be passed to another thread: its socket, or one in ssl')
  return createLocalRunner(sql)
}

/** Calls the application's function for each connection. */
const passwordOf = ({ options }: Sql) => async (): Promise<string> => {
  const { pass } = options as unknown as { pass: () => Promise<unknown> }
  try {
    const password = await pass()
    if (typeof password === 'string') return password
  } catch (error) {
    // Its message may contain anything
    throw passwordUnknown(error instanceof Error ? error.name : typeof error)
  }
  throw passwordUnknown('it did not return a string')
}

const passwordUnknown = (reason: string): Error =>
  new DatabaseUnavailable(`the function that returns the password failed: ${reason}`)
