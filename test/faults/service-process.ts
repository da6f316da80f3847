import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { BackupOptions } from '../../types/index.ts'
import { type TestScope, testSchema } from '../support/database.ts'
import type { Place } from '../support/engine.ts'

/** A service in its own process. */
export interface ServiceProcess {
  /** Resolves with the address when the service listens. Rejects when it ends before. */
  listening: Promise<string>
  /** Resolves with the response of a route below the base path; undefined when the service ended before. */
  call: (method: string, path: string, body?: object) => Promise<{ status: number, body: unknown } | undefined>
  /** Resolves with the exit code when the process has ended. */
  kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<number | null>
  /** Resolves with its current memory (RSS), in MB. */
  memoryMb: () => Promise<number>
  /** Its output, which includes log lines of level warn and above. */
  output: () => string
}

const script = fileURLToPath(new URL('service.js', import.meta.url))

/** Whether the scenarios run in their long form, as `npm run test:faults` does. */
export const isLong = process.env.TEST_FAULTS === 'long'

export interface ServiceOptions extends BackupOptions { clockOffsetMs?: number }

export function startService (
  t: TestScope, { url, directory }: Pick<Place, 'url' | 'directory'>, options: ServiceOptions = {}
): ServiceProcess {
  const given = JSON.stringify({
    connection: url,
    schema: testSchema,
    storagePath: directory,
    allowRestore: true,
    ...options
  })
  const child: ChildProcess = fork(script, [given], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => { output += text })
  }
  let address = ''
  const ended = once(child, 'close')
  const listening = new Promise<string>((resolve, reject) => {
    child.once('message', (message) => {
      address = String(message)
      resolve(address)
    })
    child.once('close', () => { reject(new Error(`the service ended before it listened: ${output}`)) })
  })
  listening.catch(() => {})

  async function kill (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
    return child.exitCode
  }

  async function memoryMb (): Promise<number> {
    child.send('memory')
    const [bytes] = await once(child, 'message')
    return Number(bytes) / 1e6
  }

  t.after(async () => { await kill('SIGKILL') })
  return {
    listening,
    async call (method, path, body) {
      const content = body === undefined
        ? {}
        : {
            body: JSON.stringify(body), headers: { 'content-type': 'application/json' }
          }
      const response = await fetch(`${address}/admin/backup${path}`, { method, ...content }).catch(() => undefined)
      const text = await response?.text().catch(() => undefined)
      return response === undefined || text === undefined
        ? undefined
        : {
            status: response.status, body: text === '' ? undefined : JSON.parse(text)
          }
    },
    kill,
    memoryMb,
    output: () => output
  }
}
