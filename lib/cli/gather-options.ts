import { assertOptions, isPlainObject } from '../options/check-options.ts'
import { isOwnError } from '../own-error.ts'
import type { BackupServiceOptions } from '../../types/index.ts'
import { UsageError } from './host.ts'
import { loadConfig } from './load-config.ts'
import { flagOf, parseValue, pluginOptions, variableOf } from './plugin-options.ts'

/** The options of a command, and where each of them comes from. */
export interface GatheredOptions {
  options: BackupServiceOptions
  /** By the name of the option: a file, a variable or a flag. */
  sources: Map<string, string>
  /** What the user may not expect. */
  notes: string[]
}

/** What was given on the command line: by the name of the option, the text or a boolean. */
export type Flags = Record<string, string | boolean>

interface Layer { source: string, path: string, value: unknown }

/**
 * The options from the configuration file, the environment and the flags; later ones replace earlier ones. Each is
 * checked by itself, so that the message names its source.
 */
export async function gatherOptions (
  cwd: string, env: NodeJS.ProcessEnv, flags: Flags, configPath: string | undefined
): Promise<GatheredOptions> {
  const sources = new Map<string, string>()
  const notes: string[] = []
  const options: Record<string, unknown> = {}
  const config = await loadConfig(cwd, configPath ?? (env.FASTIFY_BACKUP_CONFIG || undefined))
  if (config !== undefined) {
    // These may be functions of the application, which does not run here
    const { auth, restoreAuth, actor, ...others } = config.options
    check(config.name, others)
    Object.assign(options, others)
    for (const name of Object.keys(others)) sources.set(name, config.name)
  }
  const fromFile = options.connection ?? options.sql
  for (const { source, path, value } of [...environmentLayers(env), ...flagLayers(flags)]) {
    // A level alone is no compression, and zstd has the most levels
    check(source, setPath(path === 'compression.level' ? { compression: 'zstd' } : {}, path, value))
    setPath(options, path, value)
    sources.set(path, source)
  }
  // Type and level may come from different places, and then be wrong only together
  check(String(sources.get('compression.level') ?? sources.get('compression')), { compression: options.compression })
  if (fromFile !== undefined && options.connection !== undefined && fromFile !== options.connection) {
    notes.push(`${sources.get('connection')} replaces the connection of ${config?.name}`)
    delete options.sql
  }
  return { options, sources, notes }
}

function environmentLayers (env: NodeJS.ProcessEnv): Layer[] {
  const url = env.DATABASE_URL ? [{ source: 'DATABASE_URL', path: 'connection', value: env.DATABASE_URL }] : []
  const own = pluginOptions.flatMap((option) => {
    const text = env[variableOf(option)]
    if (text === undefined || text === '') return []
    return [{ source: variableOf(option), path: option.path, value: parseValue(option, text) }]
  })
  return [...url, ...own]
}

function flagLayers (flags: Flags): Layer[] {
  return pluginOptions.flatMap((option) => {
    const given = flags[option.path]
    if (given === undefined) return []
    const value = typeof given === 'string' ? parseValue(option, given) : given
    const source = value === false ? flagOf(option).replace('--', '--no-') : flagOf(option)
    return [{ source, path: option.path, value }]
  })
}

/**
 * `guard: true` is no value of the option, but `--guard` and FASTIFY_BACKUP_GUARD=true undo a false. The text of
 * `compression` is its type.
 */
function setPath (options: Record<string, unknown>, path: string, given: unknown): Record<string, unknown> {
  const [name = '', key] = path.split('.')
  const before = options[name]
  const group = isPlainObject(before) ? before : typeof before === 'string' ? { type: before } : {}
  if (key !== undefined) options[name] = { ...group, [key]: given }
  else options[name] = name === 'guard' && given === true ? group : given
  return options
}

function check (source: string, options: Record<string, unknown>): void {
  try {
    assertOptions(options)
  } catch (error) {
    throw named(error, source)
  }
}

function named (error: unknown, source: string): unknown {
  if (!(error instanceof Error) || !isOwnError(error, 'OPTION_INVALID')) return error
  return Object.assign(new UsageError(`${source}: ${error.message}`, 'FST_BACKUP_OPTION_INVALID'), { cause: error })
}

/** The error of an option that only its use shows to be wrong, with the source of that option. */
export function withSource (error: unknown, sources: Map<string, string>): unknown {
  const text = error instanceof Error ? error.message : ''
  const path = /option '([\w.]+)'/.exec(text)?.[1] ?? ''
  const names = [path, path.split('.', 1).join(), `${path}.type`]
  return named(error, names.map((name) => sources.get(name)).find((source) => source !== undefined) ?? 'options')
}
