import { isAbort } from './abort.ts'

export interface BulkResult<T> {
  done: T[]
  failed: Array<{ item: T, error: unknown }>
  /** Those that were not begun, or whose request was aborted, because the action was stopped. */
  left: T[]
}

export interface BulkOptions<T> {
  act: (item: T) => Promise<void>
  /** Called before each item, with its number from 1. */
  onItem: (number: number) => void
  /** Stops the action after the item whose request is in flight, since the service may already have done it. */
  signal: AbortSignal
}

/** Does something with one item after the other, and goes on after a failure. */
export async function actOnEach<T> (items: T[], { act, onItem, signal }: BulkOptions<T>): Promise<BulkResult<T>> {
  const result: BulkResult<T> = { done: [], failed: [], left: [] }
  for (const [index, item] of items.entries()) {
    if (signal.aborted) {
      result.left.push(item)
      continue
    }
    onItem(index + 1)
    try {
      await act(item)
      result.done.push(item)
    } catch (error) {
      if (isAbort(error)) result.left.push(item)
      else result.failed.push({ item, error })
    }
  }
  return result
}
