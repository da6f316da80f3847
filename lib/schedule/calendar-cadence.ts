import { Cron } from 'croner'
import { OptionInvalid } from '../errors.ts'
import type { Cadence } from './cadence.ts'

/**
 * Real cron, by croner: five fields or a nickname (`@daily`), in an IANA time zone. Where the clock goes forward, a fixed time in the gap comes
 * right after it; where it goes back, a fixed time comes once, and one with a wildcard or a step in both hours (croner's README, "Pattern").
 * @throws FST_BACKUP_OPTION_INVALID for an expression or a zone that is none, and for an expression that never comes, as the 30th of February
 */
export function calendarCadence (cron: string, timezone: string): Cadence {
  requireZone(timezone)
  const schedule = readExpression(cron, timezone)
  const found = (date: Date | null | undefined): Date => {
    if (!date) throw new OptionInvalid(`option 'schedule.cron' is '${cron}', and that never comes`)
    return date
  }
  const next = (after: Date): Date => found(schedule.nextRun(after))
  // Five fields know no year, so what comes once comes again, and came before: any date tells
  next(new Date('2000-01-01'))

  return {
    next,
    // previousRuns() looks before its reference, and slots are whole seconds
    previous: (atOrBefore) => found(schedule.previousRuns(1, new Date(atOrBefore.getTime() + 1))[0]),
    warning: null
  }
}

/** croner finds out with the first date, and takes '' for the zone of the machine. */
function requireZone (timezone: string): void {
  try {
    Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch {
    throw new OptionInvalid(`option 'schedule.timezone' takes an IANA time zone such as 'Europe/Berlin', not '${timezone}'`)
  }
}

function readExpression (cron: string, timezone: string): Cron {
  try {
    const schedule = new Cron(cron, { mode: '5-part', timezone })
    // croner also takes an ISO date, for a job that runs once
    if (schedule.getPattern() === undefined) throw new TypeError('a date is no schedule')
    return schedule
  } catch (error) {
    throw new OptionInvalid(`option 'schedule.cron' is '${cron}', which calendar mode can not read: ${(error as Error).message}`)
  }
}
