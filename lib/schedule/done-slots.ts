type Log = (details: object, message: string) => void

/** Remembers the newest slot of each schema that is done, and the newest that was attempted. */
export interface DoneSlots {
  /**
   * Whether the slot needs a run. `lastSlot` is called only for `firstSlot`, the newest slot when the schedule started:
   * all later ones begin while the service runs.
   */
  isOpen: (schema: string, slot: number, firstSlot: number) => Promise<boolean>
  recordAttempt: (schema: string, slot: number) => void
  recordDone: (schema: string, slot: number) => void
}

/** @param lastSlot see SchedulerOptions */
export function createDoneSlots (
  lastSlot: (schema: string, slot: Date) => Promise<Date | null>,
  logger: { info: Log, warn: Log }
): DoneSlots {
  const done = new Map<string, number>()
  const attempted = new Map<string, number>()

  async function askForLast (schema: string, firstSlot: number): Promise<void> {
    const last = await lastSlot(schema, new Date(firstSlot))
    if (last === null || last.getTime() >= firstSlot) {
      // Without a slot in the log this is the first start, before which no slot was missed
      done.set(schema, firstSlot)
    } else {
      done.set(schema, last.getTime())
      const details = { schema, slot: new Date(firstSlot) }
      logger.info(details, 'a slot passed while the service was down; making its backup now')
    }
  }

  return {
    async isOpen (schema, slot, firstSlot) {
      if (slot === firstSlot && !done.has(schema)) await askForLast(schema, firstSlot)
      return done.get(schema) !== slot
    },
    recordAttempt (schema, slot) {
      const before = attempted.get(schema)
      if (before !== undefined && before !== slot) {
        const details = { schema, slot: new Date(before) }
        logger.warn(details, 'a slot has no backup, because the next slot has begun')
      }
      attempted.set(schema, slot)
    },
    recordDone (schema, slot) {
      attempted.delete(schema)
      done.set(schema, slot)
    }
  }
}
