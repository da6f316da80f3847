/** An option of the plugin that a flag and an environment variable can set. */
export interface PluginOption {
  /** The name of the option, `schedule.cron` for example. */
  path: string
  kind: 'text' | 'number' | 'boolean' | 'list'
  help: string
  /** Shown in the help of each command. All are shown in the help of the program. */
  isCommon?: boolean
}

export const pluginOptions: PluginOption[] = [
  { path: 'connection', kind: 'text', help: 'URL of the database', isCommon: true },
  { path: 'storagePath', kind: 'text', help: 'directory of the snapshots', isCommon: true },
  { path: 'schema', kind: 'text', help: 'default schema, also of the log', isCommon: true },
  { path: 'logSchema', kind: 'text', help: 'schema of the table backup_logs', isCommon: true },
  { path: 'allowRestore', kind: 'boolean', help: 'allow restores' },
  { path: 'excludeTables', kind: 'list', help: 'tables to leave out' },
  { path: 'schemas', kind: 'list', help: 'schemas that may be used' },
  { path: 'maxBackups', kind: 'number', help: 'snapshots to keep of each schema' },
  { path: 'retention.hourly', kind: 'number', help: 'hours to keep a snapshot of' },
  { path: 'retention.daily', kind: 'number', help: 'days to keep a snapshot of' },
  { path: 'retention.weekly', kind: 'number', help: 'weeks to keep a snapshot of' },
  { path: 'retention.monthly', kind: 'number', help: 'months to keep a snapshot of' },
  { path: 'retention.yearly', kind: 'number', help: 'years to keep a snapshot of' },
  { path: 'guard', kind: 'boolean', help: 'compare each snapshot with earlier ones' },
  { path: 'guard.shrink', kind: 'number', help: 'fraction of its rows that a table may lose' },
  { path: 'guard.minRows', kind: 'number', help: 'rows from which a table is compared' },
  { path: 'guard.window', kind: 'number', help: 'snapshots to compare with' },
  { path: 'guard.ignoreTables', kind: 'list', help: 'tables that are not compared' },
  { path: 'schedule.enabled', kind: 'boolean', help: 'run the schedule in the service' },
  { path: 'schedule.cron', kind: 'text', help: 'when to back up' },
  { path: 'schedule.mode', kind: 'text', help: 'interval or calendar' },
  { path: 'schedule.timezone', kind: 'text', help: 'IANA time zone of the calendar mode' },
  { path: 'schedule.retentionDays', kind: 'number', help: 'days to keep scheduled snapshots' },
  { path: 'schedule.schemas', kind: 'list', help: 'schemas to back up' },
  { path: 'schedule.concurrency', kind: 'number', help: 'schemas to back up at the same time' },
  { path: 'compression.type', kind: 'text', help: 'none, gzip or zstd, for new files' },
  { path: 'compression.level', kind: 'number', help: 'level, up to 9 (gzip) or 19 (zstd)' },
  { path: 'limits.rowBytes', kind: 'number', help: 'longest row of an import, in bytes' },
  { path: 'limits.manifestBytes', kind: 'number', help: 'longest manifest of an import, in bytes' },
  { path: 'worker', kind: 'boolean', help: 'run in a worker thread' },
  { path: 'connections', kind: 'number', help: 'connections that read a backup, up to 8' }
]

const words = (path: string, separator: string): string =>
  path.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase()).replaceAll('.', separator)

/** `--storage-path` */
export const flagOf = ({ path }: PluginOption): string => `--${words(path, '-')}`

/** `FASTIFY_BACKUP_STORAGE_PATH` */
export const variableOf = ({ path }: Pick<PluginOption, 'path'>): string =>
  `FASTIFY_BACKUP_${words(path, '_').toUpperCase()}`

/** What stands behind the flag in its help. */
export const placeholderOf = ({ kind }: PluginOption): string =>
  ({ text: ' <text>', number: ' <number>', list: ' <names>', boolean: '' })[kind]

/** Returns text that is no value of this kind as it is, so that the check of the option refuses it. */
export function parseValue ({ kind }: Pick<PluginOption, 'kind'>, text: string): unknown {
  if (kind === 'number') return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text
  if (kind === 'list') return text.split(',').map((name) => name.trim()).filter((name) => name !== '')
  if (kind === 'boolean') return ['true', '1'].includes(text) || (['false', '0'].includes(text) ? false : text)
  return text
}
