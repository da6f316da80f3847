import { readFileSync } from 'node:fs'
import { isInterruption, isOwnError } from '../own-error.ts'
import { type Chosen, parseArguments } from './build-program.ts'
import type { Call } from './command.ts'
import { gatherOptions, withSource } from './gather-options.ts'
import { exitCodes, type Host, Interrupted, UsageError } from './host.ts'
import { printable, safeJson } from './printable.ts'
import { describeDifference } from './render-restores.ts'
import { createStyle } from './style.ts'
import type { RestorePlan } from '../../types/index.ts'
import { createUi, type Ui, withoutRuns } from './ui.ts'

/** Runs the command line. Never rejects: resolves with the exit code. */
export async function runCli (host: Host): Promise<number> {
  let chosen: Chosen | undefined
  try {
    chosen = parseArguments(host, readVersion())
    return chosen === undefined ? exitCodes.done : await runCommand(host, chosen)
  } catch (error) {
    // Wrong arguments are not parsed
    const isAsked = (name: string): boolean =>
      chosen === undefined ? host.args.includes(`--${name}`) : chosen.values[name] === true
    reportError(host, error, { json: isAsked('json'), debug: isAsked('debug') })
    return exitCodeOf(error)
  }
}

function readVersion (): string {
  // From dist/lib/cli/
  const file = new URL('../../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
}

async function runCommand (host: Host, { command, args, values, flags }: Chosen): Promise<number> {
  const { json, progress, config } = values
  const ui = createUi(host, {
    json: typeof json === 'boolean' ? json : undefined,
    progress: typeof progress === 'boolean' ? progress : undefined
  })
  const call: Call = {
    args,
    values,
    host,
    ui,
    withService: async (use) =>
      await useService(host, ui, command, { flags, config: typeof config === 'string' ? config : undefined }, use)
  }
  return await command.run(call)
    .catch((error: unknown) => { throw orInterrupted(host, error) })
    .finally(ui.endProgress)
}

/**
 * What a signal caused. An error of another kind is reported although there was a signal: the outcome of a COMMIT may
 * be unknown, for example.
 */
function orInterrupted ({ interrupted }: Host, error: unknown): unknown {
  const isAbort = isInterruption(error) || (error instanceof Error && error.name === 'AbortError')
  return interrupted.aborted && isAbort ? new Interrupted() : error
}

async function useService<T> (
  host: Host,
  ui: Ui,
  { printsRuns = false }: Chosen['command'],
  { flags, config }: Pick<Chosen, 'flags'> & { config: string | undefined },
  use: Parameters<Call['withService']>[0]
): Promise<T> {
  const { options, sources, notes } = await gatherOptions(host.cwd, host.env, flags, config)
  for (const note of notes) ui.warn(note)
  const service = createNamed()
  // Ends calls that take no signal. Later than those that take one, whose runs end as aborted, not by a shutdown
  const close = (): void => { queueMicrotask(() => { service.close().catch(() => {}) }) }
  host.interrupted.addEventListener('abort', close)
  return await work()
    .catch((error: unknown) => { throw orInterrupted(host, error) })
    .finally(async () => {
      host.interrupted.removeEventListener('abort', close)
      await service.close()
    })

  async function work (): Promise<T> {
    if (host.interrupted.aborted) throw new Interrupted()
    return await use(service, options) as T
  }

  function createNamed (): ReturnType<Host['createService']> {
    try {
      return host.createService(options, { logger: printsRuns ? ui.logger : withoutRuns(ui.logger) })
    } catch (error) {
      throw withSource(error, sources)
    }
  }
}

function exitCodeOf (error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted
  const isUsage = error instanceof UsageError || isOwnError(error, 'ARGUMENT_INVALID')
  return isUsage ? exitCodes.usage : exitCodes.failed
}

const listOf = (error: Error, name: string): unknown[] => {
  const value: unknown = Reflect.get(error, name)
  return Array.isArray(value) ? value : []
}

/** commander and Node.js have messages of several lines. */
const onOneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, ' ')

/** On stderr: message, code and details, or a JSON document. The stack only if it was asked for. */
function reportError (
  { stderr, env }: Host, thrown: unknown, { json, debug }: { json: boolean, debug: boolean }
): void {
  // A configuration may throw anything
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const code = 'code' in error ? String(error.code) : error.name
  const [problems, drift] = [listOf(error, 'problems'), listOf(error, 'drift')]
  if (json) {
    const { message, stack } = error
    const details = { ...problems.length > 0 && { problems }, ...drift.length > 0 && { drift } }
    stderr.write(`${safeJson({ error: { code, message, ...details, ...debug && { stack } } }, 2)}\n`)
    return
  }
  const style = createStyle(stderr, env)
  const shown = [...problems.map(String), ...(drift as RestorePlan['drift']).map(describeDifference)]
  const details = shown.map((item) => `  - ${printable(item)}`)
  const stack = debug ? String(error.stack).split('\n').slice(1).map(printable) : []
  const head = error instanceof Interrupted
    ? 'interrupted'
    : `${style('red', 'error:')} ${printable(onOneLine(error.message))} (${printable(code)})`
  stderr.write(`${[head, ...details, ...stack].join('\n')}\n`)
}
