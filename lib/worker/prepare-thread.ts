import { paceReads } from '../postgres/driver/paced-reads.ts'
import { lowerPriority } from './lower-priority.ts'

/** What a thread does first that does nothing else than one run. */
export function prepareThread (): void {
  lowerPriority()
  paceReads()
}
