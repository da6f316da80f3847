import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestScope } from '../support/database.ts'
import { projectRoot } from '../support/project-root.js'

export interface RunningExample {
  /** Its output so far, stdout and stderr. */
  output (): string
  /** Resolves when the output contains `text`; rejects when the example exits before. */
  prints (text: string): Promise<void>
  kill (signal: NodeJS.Signals): void
  /** Resolves with the exit code, or with the signal that terminated it. */
  ended: Promise<number | NodeJS.Signals | null>
}

export interface StartOptions {
  args?: string[]
  env?: NodeJS.ProcessEnv
  cwd: string
}

/**
 * Runs a file of examples/ as a user does: in its own process, on the built library. Kills it after the test if it is
 * still running.
 */
export function startExample (t: TestScope, name: string, { args = [], env = {}, cwd }: StartOptions): RunningExample {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`examples/${name}`, projectRoot)), ...args], {
    cwd,
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const closed = once(child, 'close')
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await closed
  })

  let written = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      written += text
      for (const listener of listeners) listener()
    })
  }

  return {
    output: () => written,
    prints: (text) => new Promise((resolve, reject) => {
      const look = (): void => { if (written.includes(text)) resolve() }
      listeners.add(look)
      closed.then(() => reject(new Error(`${name} ended without printing "${text}":\n${written}`)), reject)
      look()
    }),
    kill: (signal) => { child.kill(signal) },
    ended: closed.then(() => child.signalCode ?? child.exitCode)
  }
}
