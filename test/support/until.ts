import { setTimeout as delay } from 'node:timers/promises'

export interface UntilOptions {
  /** Milliseconds after which it rejects. Only a fault of the code should ever take so long. @defaultValue 60000 */
  limitMs?: number
  /** Milliseconds between two polls. @defaultValue 10 */
  everyMs?: number
}

/** Polls until the condition holds. */
export async function until (
  holds: () => Promise<boolean> | boolean, { limitMs = 60_000, everyMs = 10 }: UntilOptions = {}
): Promise<void> {
  const end = performance.now() + limitMs
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`the condition did not hold within ${limitMs} ms: ${String(holds)}`)
    await delay(everyMs)
  }
}
