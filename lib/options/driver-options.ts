import type { BackupOptions } from '../../types/index.ts'
import { OptionInvalid } from '../errors.ts'

type TypedOption = keyof Exclude<BackupOptions['connection'], string | undefined>

/** The options of postgres.js. Its types lack the last four. */
const driverOptions: Record<TypedOption | 'socket' | 'sslnegotiation' | 'max_pipeline' | 'onnotify', true> = {
  host: true,
  hostname: true,
  port: true,
  path: true,
  database: true,
  db: true,
  user: true,
  username: true,
  password: true,
  pass: true,
  ssl: true,
  max: true,
  idle_timeout: true,
  timeout: true,
  connect_timeout: true,
  max_lifetime: true,
  keep_alive: true,
  backoff: true,
  prepare: true,
  no_prepare: true,
  types: true,
  fetch_types: true,
  transform: true,
  connection: true,
  target_session_attrs: true,
  publications: true,
  debug: true,
  onnotice: true,
  onparameter: true,
  onclose: true,
  socket: true,
  sslnegotiation: true,
  max_pipeline: true,
  onnotify: true
}

/**
 * postgres.js ignores an option that it does not know, such as a misspelt `database`, and connects to another one. It
 * checks the values by itself.
 * @throws FST_BACKUP_OPTION_INVALID
 */
export function assertDriverOptions (connection: object): void {
  const unknown = Object.keys(connection).find((name) => !Object.hasOwn(driverOptions, name))
  if (unknown === undefined) return
  const names = Object.keys(driverOptions).join(', ')
  throw new OptionInvalid(`there is no option 'connection.${unknown}'; there are ${names}`)
}
