import { OptionInvalid } from '../errors.ts'
import type { Cadence } from './cadence.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** A longer interval is probably a typing error. */
const longestMs = 366 * dayMs

/** The documented default: needs no warning about ignored fields. */
const defaultCron = '0 2 * * *'

type Fields = [minute: string, hour: string, dayOfMonth: string, month: string, dayOfWeek: string]

interface Interval {
  ms: number
  text: string
  /** The values of minute and hour of which nothing is ignored. */
  minute: string
  hour: string
}

/**
 * The simple converter: a step (`*` + `/N`) in the hour field means every N hours, otherwise one in the minute field
 * means every N minutes, otherwise daily.
 *
 * N may exceed the field's range: `*` + `/48` is every 48 hours, where cron has no such hour. Slots are multiples of
 * the interval since the Unix epoch, in UTC.
 * @throws FST_BACKUP_OPTION_INVALID for anything except five fields, for a step of 0 in one of them, and for an
 * interval above 366 days
 */
export function intervalCadence (cron: string): Cadence {
  const fields = splitFields(cron)
  const interval = readInterval(fields)
  if (interval.ms > longestMs) {
    throw new OptionInvalid(`option 'schedule.cron' is '${cron}', an interval above 366 days; use a shorter one`)
  }

  return {
    next: (after) => new Date((Math.floor(after.getTime() / interval.ms) + 1) * interval.ms),
    previous: (atOrBefore) => new Date(Math.floor(atOrBefore.getTime() / interval.ms) * interval.ms),
    warning: warningOf(fields, interval)
  }
}

function splitFields (cron: string): Fields {
  const fields = cron.trim().split(/\s+/)
  if (fields.length !== 5) {
    const names = 'minute, hour, day of month, month, day of week'
    throw new OptionInvalid(`option 'schedule.cron' must have five fields (${names}), and is '${cron}'`)
  }
  if (fields.some((field) => /^\*\/0+$/.test(field))) {
    throw new OptionInvalid(`option 'schedule.cron' is '${cron}', and a step of 0 matches no time; use 1 or more`)
  }
  return fields as Fields
}

function readInterval ([minute, hour]: Fields): Interval {
  const hours = stepOf(hour)
  if (hours !== null) return { ms: hours * hourMs, text: `every ${hours} h`, minute: '0', hour }
  const minutes = stepOf(minute)
  if (minutes !== null) return { ms: minutes * minuteMs, text: `every ${minutes} min`, minute, hour: '*' }
  return { ms: dayMs, text: 'daily', minute: '0', hour: '0' }
}

function stepOf (field: string): number | null {
  const [, step] = /^\*\/(\d+)$/.exec(field) ?? []
  return step === undefined ? null : Number(step)
}

function warningOf (fields: Fields, interval: Interval): string | null {
  const cron = fields.join(' ')
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields
  const ignored = [
    { name: 'minute', value: minute, used: interval.minute },
    { name: 'hour', value: hour, used: interval.hour },
    { name: 'day of month', value: dayOfMonth, used: '*' },
    { name: 'month', value: month, used: '*' },
    { name: 'day of week', value: dayOfWeek, used: '*' }
  ].filter(({ value, used }) => value !== used)
  if (cron === defaultCron || ignored.length === 0) return null

  const names = ignored.map(({ name, value }) => `${name} (${value})`).join(', ')
  return `option 'schedule.cron' is '${cron}', which interval mode reads as ${interval.text}, ` +
    `counted from 1970-01-01T00:00Z; ignored: ${names}; schedule.mode 'calendar' uses every field`
}
