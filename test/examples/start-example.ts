import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { TestScope } from '../support/database.ts'
import { projectRoot } from '../support/project-root.js'

export interface RunningExample {
  /** What it has written up to now, errors too. */
  output (): string
  /** Resolves when that has been written; rejects when the example ends without. */
  says (text: string): Promise<void>
  kill (signal: NodeJS.Signals): void
  /** Resolves to the exit code, or the signal that it died of. */
  ended: Promise<number | NodeJS.Signals | null>
}

export interface StartOptions {
  args?: string[]
  env?: NodeJS.ProcessEnv
  cwd: string
}

/**
 * Runs a file of examples/ like a user does: in a process of its own, on the built library. It is killed after the test, should it be there still.
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
    says: (text) => new Promise((resolve, reject) => {
      const look = (): void => { if (written.includes(text)) resolve() }
      listeners.add(look)
      closed.then(() => reject(new Error(`${name} ended without saying "${text}":\n${written}`)), reject)
      look()
    }),
    kill: (signal) => { child.kill(signal) },
    ended: closed.then(() => child.signalCode ?? child.exitCode)
  }
}
