import { Cron } from 'croner'
import { OptionInvalid } from '../errors.ts'
import type { Cadence } from './cadence.ts'

/**
 * Cron with all five fields, by croner, or a nickname (`@daily`), in an IANA time zone. When the clock goes forward,
 * the slot of a fixed time in the gap is right after the gap. When it goes back, a fixed time has one slot, and a time
 * with a wildcard or a step has slots in both hours (croner's README, "Pattern").
 * @throws FST_BACKUP_OPTION_INVALID for an invalid expression or zone, and for an expression without slots, such as the
 * 30th of February
 */
export function calendarCadence (cron: string, timezone: string): Cadence {
  requireZone(timezone)
  const schedule = readExpression(cron, timezone)
  const found = (date: Date | null | undefined): Date => {
    if (!date) throw new OptionInvalid(`option 'schedule.cron' is '${cron}', which matches no date`)
    return date
  }
  const next = (after: Date): Date => found(schedule.nextRun(after))
  // Without a year field, an expression that matches any date matches dates before and after every other one: one check
  // suffices
  next(new Date('2000-01-01'))

  return {
    next,
    // previousRuns() excludes its reference, and slots are whole seconds
    previous: (atOrBefore) => found(schedule.previousRuns(1, new Date(atOrBefore.getTime() + 1))[0]),
    warning: null
  }
}

/** croner reports an invalid zone only when it computes a date, and reads '' as the machine's zone. */
function requireZone (timezone: string): void {
  try {
    Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    const expected = "an IANA time zone such as 'Europe/Berlin'"
    throw new OptionInvalid(`option 'schedule.timezone' must be ${expected}, and is '${timezone}'`)
  }
}

function readExpression (cron: string, timezone: string): Cron {
  try {
    const schedule = new Cron(cron, { mode: '5-part', timezone })
    // croner also accepts an ISO date, for a job that runs once
    if (schedule.getPattern() === undefined) throw new TypeError('a date is not a schedule')
    return schedule
  } catch (error) {
    const { message } = error as Error
    throw new OptionInvalid(`option 'schedule.cron' is '${cron}', which calendar mode cannot read: ${message}`)
  }
}
