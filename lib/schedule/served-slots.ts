type Log = (details: object, message: string) => void

/** Remembers the slot of each schema that is served, and the slot that was attempted. */
export interface ServedSlots {
  /**
   * Whether the slot needs a run. `lastSlot` is called only for `firstSlot`, the newest slot when the schedule started:
   * all later ones come while the service runs.
   */
  isOpen: (schema: string, slot: number, firstSlot: number) => Promise<boolean>
  noteAttempt: (schema: string, slot: number) => void
  noteServed: (schema: string, slot: number) => void
}

/** @param lastSlot see SchedulerOptions */
export function createServedSlots (
  lastSlot: (schema: string, slot: Date) => Promise<Date | null>,
  logger: { info: Log, warn: Log }
): ServedSlots {
  const served = new Map<string, number>()
  const attempted = new Map<string, number>()

  async function askForLast (schema: string, firstSlot: number): Promise<void> {
    const last = await lastSlot(schema, new Date(firstSlot))
    if (last === null || last.getTime() >= firstSlot) {
      // Without a slot in the log this is the first start, before which no slot was missed
      served.set(schema, firstSlot)
    } else {
      served.set(schema, last.getTime())
      const details = { schema, slot: new Date(firstSlot) }
      logger.info(details, 'a slot passed while the service was down; making its backup now')
    }
  }

  return {
    async isOpen (schema, slot, firstSlot) {
      if (slot === firstSlot && !served.has(schema)) await askForLast(schema, firstSlot)
      return served.get(schema) !== slot
    },
    noteAttempt (schema, slot) {
      const before = attempted.get(schema)
      if (before !== undefined && before !== slot) {
        const details = { schema, slot: new Date(before) }
        logger.warn(details, 'a slot stays without a backup, because the next one has come')
      }
      attempted.set(schema, slot)
    },
    noteServed (schema, slot) {
      attempted.delete(schema)
      served.set(schema, slot)
    }
  }
}
