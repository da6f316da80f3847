import { realpathSync } from 'node:fs'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { exitCodes, type Host, type Input, type Output } from './host.ts'
import { printable } from './printable.ts'
import { runCli } from './run-cli.ts'

/** What is used of the process. */
export interface CliProcess {
  argv: string[]
  env: NodeJS.ProcessEnv
  stdin: Input
  stdout: Output
  stderr: Output
  cwd: () => string
  on: (event: NodeJS.Signals | 'exit', listener: () => void) => unknown
  exit: (code: number) => void
  exitCode?: number | string | null | undefined
}

const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs the command line if the process was started with this module, and not if the module was only imported.
 * @param module its import.meta.url
 */
export async function runIfMain (
  module: string, process: CliProcess, createService: Host['createService']
): Promise<void> {
  if (!isMain(module, process.argv[1])) return
  const { env, stdin, stdout, stderr } = process
  const exit = guardExit(process)
  const interrupted = watchSignals(process, exit)
  // A reader that has read enough closes its pipe (EPIPE). Any other failure means that the output is incomplete
  let failure: Error | undefined
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => { if (error.code !== 'EPIPE') failure ??= error })
  }
  const code = await runCli({
    args: process.argv.slice(2),
    env,
    cwd: process.cwd(),
    stdin,
    stdout,
    stderr,
    interrupted,
    user: systemUser(),
    createService
  })
  for (const stream of [stdout, stderr]) await flush(stream)
  const isIncomplete = failure !== undefined && code === exitCodes.done
  if (isIncomplete) {
    stderr.write(`error: the command is done, but its output is incomplete: ${printable(String(failure?.message))}\n`)
    await flush(stderr)
  }
  // What a configuration file opened, a pool for example, must not keep the process alive
  exit(isIncomplete ? exitCodes.failed : code)
}

/**
 * Returns a function that ends the process. An end by anything else is a failure: a configuration file may call
 * process.exit(), or leave the command without anything to wait for.
 */
function guardExit (process: CliProcess): (code: number) => void {
  let isExpected = false
  process.on('exit', () => {
    if (isExpected) return
    process.exitCode = exitCodes.failed
    process.stderr.write('error: the process ended before the command did\n')
  })
  return (code) => {
    isExpected = true
    process.exit(code)
  }
}

/** Aborts on the first signal. The second one ends the process. */
function watchSignals (process: CliProcess, exit: (code: number) => void): AbortSignal {
  const interrupt = new AbortController()
  for (const signal of signals) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) exit(exitCodes.interrupted)
      interrupt.abort()
    })
  }
  return interrupt.signal
}

async function flush (stream: Output): Promise<void> {
  await new Promise<void>((resolve) => { stream.write('', () => { resolve() }) })
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
