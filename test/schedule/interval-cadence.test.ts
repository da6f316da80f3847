import t from 'tap'
import { intervalCadence } from '../../lib/schedule/interval-cadence.ts'
import { checkCadence } from './cadence-properties.ts'

const hour = 60 * 60 * 1000
/** The slot before a time, and the three slots after it. */
function slots (cron: string, moment = '2026-11-22T10:07:30.500Z'): string[] {
  const { next, previous } = intervalCadence(cron)
  const first = next(new Date(moment))
  const second = next(first)
  return [previous(new Date(moment)), first, second, next(second)].map((date) =>
    date.toISOString().replace(':00.000Z', '')
  )
}

t.test('a step in the hour field means every N hours', async (t) => {
  t.strictSame(slots('0 */6 * * *'), ['2026-11-22T06:00', '2026-11-22T12:00', '2026-11-22T18:00', '2026-11-23T00:00'])
  t.strictSame(slots('0 */1 * * *'), ['2026-11-22T10:00', '2026-11-22T11:00', '2026-11-22T12:00', '2026-11-22T13:00'])
  t.strictSame(
    slots('*/10 */12 * * *'),
    ['2026-11-22T00:00', '2026-11-22T12:00', '2026-11-23T00:00', '2026-11-23T12:00'],
    'the hour field is checked first'
  )
})

t.test('otherwise a step in the minute field means every N minutes', async (t) => {
  t.strictSame(slots('*/15 * * * *'), ['2026-11-22T10:00', '2026-11-22T10:15', '2026-11-22T10:30', '2026-11-22T10:45'])
  t.strictSame(slots('*/1 * * * *'), ['2026-11-22T10:07', '2026-11-22T10:08', '2026-11-22T10:09', '2026-11-22T10:10'])
})

t.test('otherwise the interval is a day, at midnight UTC', async (t) => {
  const daily = ['2026-11-22T00:00', '2026-11-23T00:00', '2026-11-24T00:00', '2026-11-25T00:00']
  for (const cron of ['0 2 * * *', '30 4 1 * *', '0 0-12/2 * * *', '5/15 * * * *', '  0\t2  * * * ']) {
    t.strictSame(slots(cron), daily, cron)
  }
})

t.test('slots are multiples of the interval since the epoch, even if it does not divide a day', async (t) => {
  const { next } = intervalCadence('0 */5 * * *')
  t.equal(next(new Date(0)).getTime(), 5 * hour)
  t.equal(next(new Date('2026-11-22T10:00:00Z')).getTime() % (5 * hour), 0)
  t.equal(intervalCadence('*/7 * * * *').previous(new Date('2026-11-22T10:00:00Z')).getTime() % (7 * 60_000), 0)
})

t.test('previous() may return the given time, next() never does, even before the epoch', async (t) => {
  const { next, previous } = intervalCadence('0 */6 * * *')
  const slot = new Date('2026-11-22T12:00:00.000Z')
  t.strictSame(previous(slot), slot)
  t.strictSame(next(slot), new Date('2026-11-22T18:00:00.000Z'))
  t.strictSame(previous(new Date(-1)), new Date(-6 * hour))
  t.strictSame(next(new Date(-1)), new Date(0))
})

t.test('a step may exceed the range of its field', async (t) => {
  t.equal(intervalCadence('0 */48 * * *').next(new Date(0)).getTime(), 48 * hour)
  t.equal(intervalCadence('*/90 * * * *').next(new Date(0)).getTime(), 1.5 * hour)
  t.equal(intervalCadence('0 */8784 * * *').next(new Date(0)).getTime(), 8784 * hour)
})

t.test('previous() and next() agree at any time', async (t) => {
  for (const cron of ['0 2 * * *', '*/7 * * * *', '0 */5 * * *']) {
    checkCadence(intervalCadence(cron), '1960-01-01', '2100-01-01')
  }
})

t.test('an expression that is not an interval is refused with the name of the option', async (t) => {
  const refused = (cron: string, message: RegExp): void => {
    t.throws(() => intervalCadence(cron), { code: 'FST_BACKUP_OPTION_INVALID', message }, cron)
  }
  for (const cron of ['', 'daily', '@daily', '0 2 * *', '0 2 * * * *']) {
    refused(cron, /^option 'schedule\.cron' must have five fields \(minute, hour, day of month, .* of week\), and is /)
  }
  for (const cron of ['*/0 * * * *', '0 */0 * * *', '0 */00 * * *', '*/5 */0 * * *', '0 2 */0 * *']) {
    refused(cron, /^option 'schedule\.cron' .* step of 0/)
  }
  for (const cron of ['0 */8785 * * *', `*/${'9'.repeat(400)} * * * *`]) {
    refused(cron, /^option 'schedule\.cron' .* above 366 days/)
  }
})

t.test('a warning names the ignored fields', async (t) => {
  const warned = (cron: string, text: string): void => {
    const { warning } = intervalCadence(cron)
    t.ok(warning?.includes(text), `${cron}: ${warning}`)
  }
  warned('0 3 * * *', 'as daily, counted from 1970-01-01T00:00Z; ignored: hour (3); schedule.mode')
  warned('30 2 * * *', 'ignored: minute (30), hour (2);')
  warned('* * * * *', 'ignored: minute (*), hour (*);')
  warned('30 */6 1 1 1-5', "option 'schedule.cron' is '30 */6 1 1 1-5', which interval mode reads as every 6 h, ")
  warned('30 */6 1 2 1-5', 'ignored: minute (30), day of month (1), month (2), day of week (1-5);')
  warned('*/15 9-17 * * *', 'as every 15 min, counted from 1970-01-01T00:00Z; ignored: hour (9-17);')
  warned('*/15 */6 * * *', 'ignored: minute (*/15);')
})

t.test('there is no warning for the default, or when no field is ignored', async (t) => {
  for (const cron of ['0 2 * * *', ' 0  2 * * *', '0 0 * * *', '0 */6 * * *', '*/15 * * * *']) {
    t.equal(intervalCadence(cron).warning, null, cron)
  }
})
