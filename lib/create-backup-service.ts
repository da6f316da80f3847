import type { BackupLogger, BackupServiceOptions, StandaloneBackupService } from '../types/index.ts'
import { longestTimerMs } from './clock.ts'
import { createEngine } from './create-engine.ts'
import { resolveStandaloneOptions } from './options/resolve-options.ts'
import { listenersOf } from './runs/event-hub.ts'

/** What a script would miss if it did not see it. Everything else is in the results of its calls. */
const consoleLogger: BackupLogger = {
  debug () {},
  info () {},
  warn: (details, message) => { console.warn(lineOf('warning', details, message)) },
  error: (details, message) => { console.error(lineOf('error', details, message)) }
}

const lineOf = (level: string, details: object | string, message?: string): string => typeof details === 'string'
  ? `fastify-backup ${level}: ${details}`
  : `fastify-backup ${level}: ${message} ${JSON.stringify(details)}`

/**
 * Creates the service behind `fastify.backup` without Fastify, for scripts and workers. It accepts the options of the
 * plugin; those of the routes have no effect. It does not connect before the first call. Call `close()` at the end,
 * since open connections keep the process alive.
 * @param dependencies `logger`: pino or an object like it. @defaultValue warnings and errors go to stderr
 * @throws FST_BACKUP_OPTION_INVALID
 */
export function createBackupService (
  options: BackupServiceOptions = {}, { logger = consoleLogger }: { logger?: BackupLogger } = {}
): StandaloneBackupService {
  const engine = createEngine(resolveStandaloneOptions(options), logger)
  const { beginCreate, beginRestore, forCaller, start, stop, close: endConnections, ...calls } = engine
  let keepAlive: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined

  async function close (): Promise<void> {
    clearInterval(keepAlive)
    closing ??= stop().then(endConnections)
    await closing
  }

  const service: StandaloneBackupService = {
    ...calls,
    ...listenersOf(engine, () => service),
    start () {
      if (closing !== undefined || keepAlive !== undefined) return
      // Only keeps the process alive
      keepAlive = setInterval(() => {}, longestTimerMs)
      start()
    },
    close,
    [Symbol.asyncDispose]: close
  }
  return service
}
