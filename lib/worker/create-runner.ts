import { existsSync } from 'node:fs'
import { poolSettings, type Sql } from '../postgres/connection.ts'
import { createLocalRunner, type Runner } from './runner.ts'
import { createWorkerRunner } from './worker-runner.ts'

/** The worker's file beside this one. Undefined where there is none: a bundler that put everything into one file has left it behind. */
export function findWorkerEntry (): URL | undefined {
  const base: string | undefined = import.meta.url
  const entry = base === undefined ? undefined : new URL('./worker-entry.js', base)
  return entry?.protocol === 'file:' && existsSync(entry) ? entry : undefined
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

/** postgres.js takes a function for it, too, and asks that for each connection. */
const passwordOf = ({ options }: Sql) => async (): Promise<unknown> => {
  const { pass } = options as unknown as { pass: unknown }
  return typeof pass === 'function' ? await pass() : pass
}
