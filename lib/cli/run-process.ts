import { realpathSync } from 'node:fs'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { exitCodes, type Host, type Input, type Output } from './host.ts'
import { runCli } from './run-cli.ts'

/** What is used of the process. */
export interface CliProcess {
  argv: string[]
  env: NodeJS.ProcessEnv
  stdin: Input
  stdout: Output
  stderr: Output
  cwd: () => string
  on: (signal: NodeJS.Signals, listener: () => void) => unknown
  exit: (code: number) => void
}

const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs the command line if the process was started with this module, and not if the module was only imported.
 * @param module its import.meta.url
 */
export async function runIfMain (
  module: string, process: CliProcess, createService: Host['createService'], readUser = systemUser
): Promise<void> {
  if (!isMain(module, process.argv[1])) return
  const { env, stdin, stdout, stderr } = process
  const interrupt = new AbortController()
  for (const signal of signals) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(exitCodes.interrupted)
      interrupt.abort()
    })
  }
  // A reader that has read enough closes its pipe (EPIPE). Any other failure means that the output is incomplete
  let isIncomplete = false
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => { if (error.code !== 'EPIPE') isIncomplete = true })
  }
  const code = await runCli({
    args: process.argv.slice(2),
    env,
    cwd: process.cwd(),
    stdin,
    stdout,
    stderr,
    interrupted: interrupt.signal,
    user: readUser(),
    createService
  })
  for (const stream of [stdout, stderr]) await new Promise<void>((resolve) => { stream.write('', () => { resolve() }) })
  // What a configuration file opened, a pool for example, must not keep the process alive
  process.exit(isIncomplete && code === exitCodes.done ? exitCodes.failed : code)
}

/** npm starts the program by a link to its file. */
function isMain (module: string, script: string | undefined): boolean {
  if (script === undefined) return false
  try {
    return realpathSync(script) === realpathSync(fileURLToPath(module))
  } catch {
    return false
  }
}

/** A container may run under a number that has no name. */
function systemUser (): string | null {
  try {
    return userInfo().username
  } catch {
    return null
  }
}
