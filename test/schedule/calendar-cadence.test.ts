import t from 'tap'
import { calendarCadence } from '../../lib/schedule/calendar-cadence.ts'
import { checkCadence } from './cadence-properties.ts'

/** The slots after a time. */
function slots (cron: string, timezone: string, moment: string, count = 3): string[] {
  const { next } = calendarCadence(cron, timezone)
  const found: Date[] = []
  for (let date = new Date(moment); found.length < count; found.push(date)) date = next(date)
  return found.map((date) => date.toISOString().replace(':00.000Z', ''))
}

t.test('all five fields count, in the time zone', async (t) => {
  t.strictSame(slots('30 2 * * 1-5', 'UTC', '2026-11-20T12:00:00Z'), [
    '2026-11-23T02:30',
    '2026-11-24T02:30',
    '2026-11-25T02:30'
  ])
  t.strictSame(slots('30 2 * * *', 'Asia/Kolkata', '2026-11-20T12:00:00Z', 1), ['2026-11-20T21:00'])
  t.strictSame(slots('@daily', 'UTC', '2026-11-20T12:00:00Z', 1), ['2026-11-21T00:00'])
  t.strictSame(slots('0 0 29 2 *', 'UTC', '2026-11-20T12:00:00Z', 2), ['2028-02-29T00:00', '2032-02-29T00:00'])
  t.equal(calendarCadence('30 2 * * *', 'UTC').warning, null)
})

t.test('when the clock goes forward, a fixed time in the gap moves after it, one with a step is skipped', async (t) => {
  t.strictSame(slots('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 2), [
    '2026-03-29T01:00',
    '2026-03-30T00:30'
  ])
  t.strictSame(slots('0 */2 * * *', 'Europe/Berlin', '2026-03-28T23:00:00Z', 2), [
    '2026-03-29T02:00',
    '2026-03-29T04:00'
  ])
})

t.test('when the clock goes back, a fixed time comes once, and one with a step in both hours', async (t) => {
  t.strictSame(slots('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2), [
    '2026-10-25T00:30',
    '2026-10-26T01:30'
  ])
  t.strictSame(slots('0 */2 * * *', 'Europe/Berlin', '2026-10-24T22:00:00Z', 3), [
    '2026-10-25T00:00',
    '2026-10-25T01:00',
    '2026-10-25T03:00'
  ])
})

t.test('previous() may return the given time, to the millisecond, and next() never does', async (t) => {
  const { next, previous } = calendarCadence('0 2 * * *', 'UTC')
  t.strictSame(previous(new Date('2026-11-22T02:00:00.000Z')), new Date('2026-11-22T02:00:00.000Z'))
  t.strictSame(previous(new Date('2026-11-22T01:59:59.999Z')), new Date('2026-11-21T02:00:00.000Z'))
  t.strictSame(previous(new Date('2026-11-22T02:00:00.001Z')), new Date('2026-11-22T02:00:00.000Z'))
  t.strictSame(next(new Date('2026-11-22T02:00:00.000Z')), new Date('2026-11-23T02:00:00.000Z'))
  t.strictSame(next(new Date('2026-11-22T01:59:59.999Z')), new Date('2026-11-22T02:00:00.000Z'))
})

t.test('previous() and next() agree at any time, even around a change of the clock', async (t) => {
  for (const cron of ['30 2 * * *', '*/20 * * * *', '15,45 1-3 * * *', '0 4 1 * *']) {
    for (const timezone of ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']) {
      const cadence = calendarCadence(cron, timezone)
      checkCadence(cadence, '2026-01-01', '2027-01-01')
      checkCadence(cadence, '2026-03-28T22:00:00Z', '2026-03-29T04:00:00Z')
      checkCadence(cadence, '2026-10-24T22:00:00Z', '2026-10-25T04:00:00Z')
      checkCadence(cadence, '2026-04-04T14:00:00Z', '2026-04-04T17:00:00Z')
    }
  }
})

t.test('an invalid expression, and one that matches no date, are refused', async (t) => {
  const refused = (cron: string, message: RegExp): void => {
    t.throws(() => calendarCadence(cron, 'UTC'), { code: 'FST_BACKUP_OPTION_INVALID', message }, cron)
  }
  for (const cron of [
    '',
    'nonsense',
    '0 2 * *',
    '0 0 2 * * *',
    '0 2 * * * * 2030',
    '60 * * * *',
    '* 24 * * *',
    '*/0 * * * *',
    '0 0 * * 8',
    '@reboot'
  ]) {
    refused(cron, /^option 'schedule\.cron' is '.*', which calendar mode cannot read: .+/)
  }
  refused('2030-01-01T00:00:00', /a date is not a schedule/)
  for (const cron of ['0 0 30 2 *', '0 0 31 4,6,9,11 *']) {
    refused(cron, /^option 'schedule\.cron' is '.*', which matches no date$/)
  }
})

t.test('an invalid time zone is refused, and so is an empty one', async (t) => {
  for (const timezone of ['Nowhere/City', '', 'UTC+2', 'Europe']) {
    t.throws(
      () => calendarCadence('0 2 * * *', timezone),
      { code: 'FST_BACKUP_OPTION_INVALID', message: /^option 'schedule\.timezone' must be an IANA time zone/ },
      timezone
    )
  }
})
