import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { IPty } from '@lydell/node-pty'
import xterm from '@xterm/headless'
import type { TestScope } from '../support/database.ts'

const program = fileURLToPath(new URL('../../lib/cli/bin.js', import.meta.url))

export interface StartOptions { cwd: string, env?: NodeJS.ProcessEnv, input?: string }

/** Waits for the next text on stderr, so that a test can act while the program runs. */
export interface Started {
  stdout: () => string
  stderr: () => string
  kill: (signal: NodeJS.Signals) => void
  closeOutput: () => void
  ended: Promise<{ code: number | null, stdout: string, stderr: string }>
}

/** The program as a process, with pipes. */
export function startProgram (t: TestScope, args: string[], { cwd, env = {}, input = '' }: StartOptions): Started {
  const child = spawn(process.execPath, [program, ...args], { cwd, env: { ...process.env, ...env } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => { stdout += String(chunk) })
  child.stderr.on('data', (chunk) => { stderr += String(chunk) })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const ended = new Promise<{ code: number | null, stdout: string, stderr: string }>((resolve) => {
    child.once('close', (code) => { resolve({ code, stdout, stderr }) })
  })
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => { child.kill(signal) },
    closeOutput: () => { child.stdout.destroy() },
    ended
  }
}

export interface Screen {
  /** The lines of the terminal so far, without the spaces at their ends. */
  lines: () => string[]
  /** Resolves when the screen contains the text; rejects when the program ends before. */
  shows: (text: string | RegExp) => Promise<void>
  type: (keys: string) => void
  /** Resolves with the exit code, when everything is on the screen. */
  ended: Promise<number>
}

export interface TerminalOptions { cwd: string, env?: NodeJS.ProcessEnv, columns?: number }

/** node-pty, or the reason why it cannot be used: its binary is missing on some platforms. */
export async function findPty (): Promise<{ spawn: typeof import('@lydell/node-pty').spawn } | string> {
  try {
    return createRequire(import.meta.url)('@lydell/node-pty') as typeof import('@lydell/node-pty')
  } catch (error) {
    return `there is no pseudo-terminal: ${error instanceof Error ? error.message.split('\n')[0] : 'unknown'}`
  }
}

/** The program in a pseudo-terminal, and an emulator that shows what a person sees. */
export async function startOnTerminal (
  t: TestScope, args: string[], { cwd, env = {}, columns = 80 }: TerminalOptions
): Promise<Screen> {
  const found = await findPty()
  if (typeof found === 'string') throw new Error(found)
  const terminal = new xterm.Terminal({ cols: columns, rows: 50, allowProposedApi: true })
  const child: IPty = found.spawn(process.execPath, [program, ...args], {
    cols: columns, rows: 50, cwd, env: { ...process.env, LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '', ...env }
  })
  const changed = new Set<() => void>()
  let isOver = false
  const lines = (): string[] => {
    const { active } = terminal.buffer
    const all = Array.from({ length: active.length }, (_, row) => active.getLine(row)?.translateToString(true) ?? '')
    return all.join('\n').trimEnd().split('\n')
  }
  child.onData((data) => { terminal.write(data, () => { for (const check of changed) check() }) })
  const ended = new Promise<number>((resolve) => {
    child.onExit(({ exitCode }) => {
      terminal.write('', () => {
        isOver = true
        for (const check of changed) check()
        resolve(exitCode)
      })
    })
  })
  t.after(async () => {
    if (!isOver) child.kill('SIGKILL')
    await ended
    terminal.dispose()
  })
  return {
    lines,
    type: (keys) => { child.write(keys) },
    ended,
    shows: async (text) => await new Promise((resolve, reject) => {
      const check = (): void => {
        const screen = lines().join('\n')
        const isShown = typeof text === 'string' ? screen.includes(text) : text.test(screen)
        if (!isShown && !isOver) return
        changed.delete(check)
        if (isShown) resolve()
        else reject(new Error(`the program ended without ${String(text)}:\n${screen}`))
      }
      changed.add(check)
      check()
    })
  }
}
