import type { BackupServiceOptions, StandaloneBackupService } from '../../types/index.ts'
import type { Flags } from './gather-options.ts'
import type { Host } from './host.ts'
import type { Ui } from './ui.ts'

/** The arguments and options of a command, as the user gave them. */
export interface Given {
  args: string[]
  /** By the name of the option in camel case. */
  values: Record<string, unknown>
}

/** One call of a command. */
export interface Call extends Given {
  host: Host
  ui: Ui
  /**
   * Calls `use` with a service that has the options of the configuration file, the environment and the flags, and
   * closes it. Rejects with Interrupted after a signal.
   */
  withService: <T>(use: (service: StandaloneBackupService, options: BackupServiceOptions) => Promise<T>) => Promise<T>
}

export interface Command {
  name: string
  summary: string
  /** Longer help. */
  details?: string
  /** In the syntax of commander: `<id>`, `[file]`, `<ids...>`; with a description. */
  args: Array<[string, string]>
  /** In the syntax of commander: `--note <text>`; with a description. */
  options: Array<[string, string]>
  example: string
  /** Whether it uses the database and the storage, and takes the options of the plugin. */
  usesService: boolean
  /** Options of the plugin that its help shows in addition; the beginnings of their names. */
  shows?: string[]
  /** Whether it prints the log lines of runs, since they are not its own result. */
  printsRuns?: boolean
  /** Options of the plugin that the command sets. */
  implies?: Flags
  /** Resolves with the exit code. */
  run: (call: Call) => Promise<number>
}

/** The text of an option, or an empty object if it was not given; to be spread into the options of a call. */
export function given<Name extends string> ({ values }: Given, name: Name): Partial<Record<Name, string>> {
  const value = values[name]
  return (typeof value === 'string' ? { [name]: value } : {}) as Partial<Record<Name, string>>
}

/** The names of a list that is separated by commas. */
export function givenList<Name extends string> ({ values }: Given, name: Name): Partial<Record<Name, string[]>> {
  const value = values[name]
  if (typeof value !== 'string') return {}
  return { [name]: value.split(',').map((item) => item.trim()) } as Partial<Record<Name, string[]>>
}

/** Who runs the command, for the log. */
export function actorOf ({ host: { user }, values: { actor } }: Call): { actor?: string } {
  if (typeof actor === 'string') return { actor }
  return user === null ? {} : { actor: user }
}

/** The options of a call that takes long. */
export const longCallOf = ({ ui, host }: Call): { signal: AbortSignal, onProgress: Ui['onProgress'] } =>
  ({ signal: host.interrupted, onProgress: ui.onProgress })

export const actorOption: [string, string] = ['--actor <name>', 'who runs it, for the log (default: your user name)']
