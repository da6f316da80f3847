import { createInterface } from 'node:readline/promises'
import { type Host, Interrupted } from './host.ts'
import { printable } from './printable.ts'

/** Asks until the answer is `expected`. Ctrl-C, Ctrl-D or a signal ends it with Interrupted. */
export async function askForText (
  { stdin, stderr, interrupted }: Pick<Host, 'stdin' | 'stderr' | 'interrupted'>, question: string, expected: string
): Promise<void> {
  // In raw mode the terminal sends no SIGINT for Ctrl-C, so readline reports it
  const ended = new AbortController()
  const reader = createInterface({ input: stdin, output: stderr, terminal: true, historySize: 0 })
  const end = (): void => { ended.abort() }
  reader.once('SIGINT', end)
  reader.once('close', end)
  interrupted.addEventListener('abort', end)
  try {
    for (;;) {
      const answer = await reader.question(question, { signal: ended.signal }).catch(() => { throw new Interrupted() })
      if (answer.trim() === expected) return
      stderr.write(`That is not ${printable(expected)}. Ctrl-C cancels.\n`)
    }
  } finally {
    interrupted.removeEventListener('abort', end)
    reader.removeListener('close', end)
    reader.close()
    if (ended.signal.aborted) stderr.write('\n')
  }
}
