import { existsSync } from 'node:fs'
import { DatabaseUnavailable } from '../errors.ts'
import { poolSettings, type Sql } from '../postgres/driver/connection.ts'
import { createLocalRunner, type Runner } from './runner.ts'
import { createWorkerRunner } from './worker-runner.ts'

export const findWorkerEntry = (): URL | undefined => entryBeside(import.meta.url)

/**
 * The worker's file beside a module. Undefined where there is none: a bundler that put everything into one file has left it behind.
 * @param module what the module's import.meta.url says: nothing in a CommonJS bundle, and not always a file
 */
export function entryBeside (module: string | undefined): URL | undefined {
  if (module?.startsWith('file:') !== true) return undefined
  const entry = new URL('./backup-worker.js', module)
  return existsSync(entry) ? entry : undefined
}

/** Runs in worker threads, where wanted and possible; `warn` is told why they are not. */
export function createRunner (sql: Sql, wanted: boolean, entry: URL | undefined, warn: (reason: string) => void): Runner {
  if (!wanted) return createLocalRunner(sql)
  const settings = poolSettings(sql)
  if (settings !== undefined && entry !== undefined) return createWorkerRunner(settings, passwordOf(sql), entry)
  warn(entry === undefined
    ? "the worker's file is not there, as in a bundle; keep fastify-backup out of the bundle"
    : 'the connection has a function that no other thread can have: its socket, or one in ssl')
  return createLocalRunner(sql)
}

/** What the owner's function says to each connection. */
const passwordOf = ({ options }: Sql) => async (): Promise<string> => {
  const { pass } = options as unknown as { pass: () => Promise<unknown> }
  try {
    const password = await pass()
    if (typeof password === 'string') return password
  } catch (error) {
    // Its message may hold anything
    throw passwordUnknown(error instanceof Error ? error.name : typeof error)
  }
  throw passwordUnknown('it gave no string')
}

const passwordUnknown = (reason: string): Error => new DatabaseUnavailable(`the function that gives the password failed: ${reason}`)
