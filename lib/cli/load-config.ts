import { readFile, stat } from 'node:fs/promises'
import { basename, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isPlainObject } from '../options/check-options.ts'
import { codeOf } from '../own-error.ts'
import { UsageError } from './host.ts'

/** The options of a configuration file, and its name for messages. */
export interface Config { name: string, options: Record<string, unknown> }

const configNames = ['js', 'mjs', 'ts', 'json'].map((ending) => `fastify-backup.config.${ending}`)

const typeScript = ['.ts', '.mts', '.cts']

/**
 * Loads the configuration file: `given`, or the one in the directory. Undefined if there is none. It exports the
 * options by default, or a function that returns them, which may be async.
 */
export async function loadConfig (cwd: string, given: string | undefined): Promise<Config | undefined> {
  const file = given ?? await findConfig(cwd)
  if (file === undefined) return undefined
  const path = resolve(cwd, file)
  const name = basename(path)
  const options = extname(path) === '.json' ? await readJson(path, name) : await importOptions(path, name)
  if (!isPlainObject(options)) throw new UsageError(`${name} must export an object with the options, or a function`)
  return { name, options }
}

async function findConfig (cwd: string): Promise<string | undefined> {
  const found: string[] = []
  for (const name of configNames) {
    if (await stat(resolve(cwd, name)).then(() => true, () => false)) found.push(name)
  }
  if (found.length > 1) throw new UsageError(`there are several configurations, ${found.join(' and ')}; use --config`)
  return found[0]
}

const reasonOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** The message of JSON.parse() quotes the text, which may contain a password. */
async function readJson (path: string, name: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${name} cannot be read: ${reasonOf(error)}`)
  })
  try {
    // Editors and shells on Windows write a byte order mark
    return JSON.parse(text.replace(/^\ufeff/, ''))
  } catch {
    throw new UsageError(`${name} is not valid JSON`)
  }
}

async function importOptions (path: string, name: string): Promise<unknown> {
  const release = divertConsole()
  const importing = import(pathToFileURL(path).href)
    .then(({ default: exported }: { default: unknown }) => typeof exported === 'function' ? exported() : exported)
    .finally(release)
  return await importing.catch((cause: unknown) => {
    if (codeOf(cause) === 'ERR_UNKNOWN_FILE_EXTENSION' && typeScript.includes(extname(path))) {
      throw new UsageError(`${name} needs Node.js 22.18 or newer, to read TypeScript. This is ${process.version}: ` +
        'use a .mjs or .json file, or a loader, such as NODE_OPTIONS=--import=tsx')
    }
    throw Object.assign(new UsageError(`${name} could not be loaded: ${reasonOf(cause)}`), { cause })
  })
}

/** The standard output is the result of the command. What a configuration prints there goes to stderr. */
function divertConsole (): () => void {
  const { log, info, debug, error } = console
  Object.assign(console, { log: error, info: error, debug: error })
  return () => { Object.assign(console, { log, info, debug }) }
}
