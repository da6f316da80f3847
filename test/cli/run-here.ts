import { PassThrough, Writable } from 'node:stream'
import { createBackupService } from '../../lib/create-backup-service.ts'
import type { Host, Input, Output } from '../../lib/cli/host.ts'
import { runCli } from '../../lib/cli/run-cli.ts'
import { testSchema } from '../support/database.ts'
import type { Place } from '../support/engine.ts'

/** A stream that remembers what was written; a terminal if it has columns. */
export interface Captured { stream: Output, text: () => string }

export function capture (columns?: number, onText: (all: string) => void = () => {}): Captured {
  let text = ''
  const stream = new Writable({
    write (chunk, _encoding, done) {
      text += String(chunk)
      onText(text)
      done()
    }
  })
  return { stream: Object.assign(stream, columns === undefined ? {} : { isTTY: true, columns }), text: () => text }
}

/** A keyboard: a terminal on which nothing is typed until the test writes to it. */
export const keyboard = (): PassThrough & Input => Object.assign(new PassThrough(), { isTTY: true })

export interface RunOptions extends Partial<Omit<Host, 'args' | 'stdout' | 'stderr'>> {
  /** Of a terminal as stdout and stderr. Undefined: both are pipes. */
  columns?: number | undefined
  /** Called with all of stderr whenever something was written. */
  onError?: (all: string) => void
}

export interface Ran { code: number, stdout: string, stderr: string }

/** Calls the command line in this process. */
export async function runHere (args: string[], { columns, onError, ...host }: RunOptions = {}): Promise<Ran> {
  const [stdout, stderr] = [capture(columns), capture(columns, onError)]
  const code = await runCli({
    args,
    env: { NO_COLOR: '1' },
    cwd: '/nowhere',
    stdin: new PassThrough(),
    interrupted: new AbortController().signal,
    user: 'ada',
    createService: createBackupService,
    ...host,
    stdout: stdout.stream,
    stderr: stderr.stream
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** The environment of a command that works on a place, in the main thread. */
export const environmentOf = ({ url, directory }: Pick<Place, 'url' | 'directory'>): NodeJS.ProcessEnv => ({
  DATABASE_URL: url,
  FASTIFY_BACKUP_STORAGE_PATH: directory,
  FASTIFY_BACKUP_SCHEMA: testSchema,
  FASTIFY_BACKUP_WORKER: 'false',
  NO_COLOR: '1'
})

/** Calls the command line on a place, and expects a JSON document. */
export async function runJson<T> (place: Place, args: string[], options: RunOptions = {}): Promise<T> {
  const { code, stdout, stderr } = await runHere(args, { env: environmentOf(place), cwd: place.directory, ...options })
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}
