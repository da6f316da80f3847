import { createParser } from 'eventsource-parser'
import type { Progress } from '../../../types/index.ts'

export type OnProgress = (progress: Progress) => void

/** The last event of a call: `completed` with its result, or `failed` with the body of an error. */
export interface CallEnd { name: string, data: unknown }

/**
 * Reads the events of one call, and passes on its progress. Resolves with undefined when the stream ends before the
 * call does.
 */
export async function readProgress ({ body }: Response, onProgress: OnProgress): Promise<CallEnd | undefined> {
  let ended: CallEnd | undefined
  const parser = createParser({
    onEvent ({ event = '', data }) {
      if (event === 'progress') onProgress(JSON.parse(data))
      else if (event === 'completed' || event === 'failed') ended = { name: event, data: JSON.parse(data) }
    }
  })
  const decoder = new TextDecoder()
  const reader = body?.getReader()
  while (true) {
    const { done = true, value } = await reader?.read() ?? {}
    if (done) return ended
    parser.feed(decoder.decode(value, { stream: true }))
  }
}
