import fc from '../support/fast-check.ts'
import type { Cadence } from '../../lib/schedule/cadence.ts'

/** Checks what is true for every cadence at any time. Throws with a time for which it is not. */
export function checkCadence (cadence: Cadence, from: string, to: string): void {
  fc.assert(fc.property(fc.date({ min: new Date(from), max: new Date(to), noInvalidDate: true }), (moment) => {
    const previous = cadence.previous(moment)
    const next = cadence.next(moment)
    return previous <= moment && next > moment &&
      cadence.next(previous).getTime() === next.getTime() &&
      cadence.previous(next).getTime() === next.getTime() &&
      cadence.previous(new Date(next.getTime() - 1)).getTime() === previous.getTime()
  }), { numRuns: 200 })
}
