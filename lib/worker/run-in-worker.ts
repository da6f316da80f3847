import type { Worker } from 'node:worker_threads'
import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'
import type { FromWorker, Question, ToWorker } from './messages.ts'
import { fromPortable, toPortable } from './portable-error.ts'

/** What the main thread does for each question of a run. */
export type Answers = Partial<Record<Question, (value: unknown) => Promise<unknown>>>

export interface RunHooks {
  answers: Answers
  onProgress: OnPhaseProgress
  signal: AbortSignal
  /** Returns the error of the run after its worker ended early. */
  earlyEndError: (reason: string) => Error
  /** Called when the run has ended, to stop what still works for it. */
  onEnd: () => void
}

/** The questions of one worker. */
interface Questions {
  answer: (message: Extract<FromWorker, { type: 'question' }>) => void
  /** The error with which the run failed. When a rejected question was the cause, it is the original error. */
  errorOf: (message: Extract<FromWorker, { type: 'failed' }>) => unknown
  /** Resolves when all questions have been answered, except those for the password. */
  allAnswered: () => Promise<void>
}

/**
 * Resolves with the result of the run that `worker` was started for. Rejects with its error, or with that of
 * `earlyEndError`.
 */
export async function runInWorker (
  worker: Worker,
  { answers, onProgress, signal, earlyEndError, onEnd }: RunHooks
): Promise<unknown> {
  const send = (message: ToWorker, transfer: ArrayBuffer[] = []): void => { worker.postMessage(message, transfer) }
  const questions = createQuestions(answers, send)
  const abort = (): void => { send({ type: 'abort', reason: toPortable(signal.reason) }) }
  signal.addEventListener('abort', abort)
  try {
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'progress') onProgress(message.progress)
        else if (message.type === 'question') questions.answer(message)
        else if (message.type === 'completed') resolve(message.result)
        else reject(questions.errorOf(message))
      })
      worker.once('error', (error) => { reject(earlyEndError(reasonOf(error))) })
      worker.once('exit', (code) => { reject(earlyEndError(`exit code ${code}`)) })
    })
  } finally {
    signal.removeEventListener('abort', abort)
    onEnd()
    // The caller decides what to do with the run's file, so it must know whether that has been published
    await questions.allAnswered()
  }
}

function createQuestions (answers: Answers, send: (message: ToWorker, transfer?: ArrayBuffer[]) => void): Questions {
  const rejections = new Map<number, unknown>()
  const answering = new Set<Promise<void>>()

  async function answer (id: number, question: Question, value: unknown): Promise<void> {
    try {
      const result = await answers[question]?.(value)
      // Transferring the bytes is faster than copying them; read() returns memory that can be transferred
      const isTransferable = result instanceof Uint8Array && result.buffer instanceof ArrayBuffer
      send({ type: 'answer', id, value: result }, isTransferable ? [result.buffer] : [])
    } catch (error) {
      // The worker reports it as the failure of the run
      rejections.set(id, error)
      send({ type: 'rejection', id, error: toPortable(error) })
    }
  }

  return {
    answer ({ id, question, value }) {
      const answered = answer(id, question, value).finally(() => { answering.delete(answered) })
      // A password may never arrive; the connection that needs it has its own timeout
      if (question !== 'password') answering.add(answered)
    },
    errorOf: ({ error, rejected }) => rejected === undefined ? fromPortable(error) : rejections.get(rejected),
    async allAnswered () { await Promise.all(answering) }
  }
}

/** Does not use the message, which may contain anything. */
function reasonOf (error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  return 'code' in error ? String(error.code) : error.name
}
