import t from 'tap'
import type { Facts, ScheduleFacts } from '../../lib/health/facts.ts'
import { checks } from '../../lib/health/health-checks.ts'
import { dueAt } from '../../lib/health/snapshot-age.ts'
import type { LoggedFile } from '../../lib/log/health-records.ts'
import { calendarCadence } from '../../lib/schedule/calendar-cadence.ts'
import { intervalCadence } from '../../lib/schedule/interval-cadence.ts'
import type { Problem } from '../../types/index.ts'

const now = new Date('2026-11-22T10:30:00.000Z')
const hour = 60 * 60_000
const ago = (ms: number): Date => new Date(now.getTime() - ms)

const file = (changes: Partial<LoggedFile> = {}): LoggedFile => ({
  id: 'x',
  schema: 'a',
  filename: 'a_1.json',
  storedBytes: 1,
  startedAt: ago(hour / 2).toISOString(),
  durationMs: 0,
  isExpected: true,
  isFull: true,
  isSuspect: false,
  damagedAt: null,
  ...changes
})
const scheduled = (changes: Partial<ScheduleFacts> = {}): ScheduleFacts => ({
  slots: intervalCadence('0 */1 * * *'),
  startedAt: ago(24 * hour),
  schemas: ['a'],
  failure: null,
  existing: new Set(['a']),
  firstRuns: new Map(),
  running: new Map(),
  ...changes
})
const factsOf = (changes: Partial<Facts> = {}): Facts => ({
  now,
  databaseNow: now,
  clockOffsetMs: 0,
  files: [],
  stored: new Set(['a_1.json']),
  unknown: [],
  storageMissingSince: null,
  storageTaken: null,
  failing: [],
  suspects: [],
  undeletable: [],
  schedule: null,
  ...changes
})
const problemsOf = (changes: Partial<Facts>): Problem[] => checks.flatMap((check) => check(factsOf(changes)))
const codesOf = (changes: Partial<Facts>): string[] => problemsOf(changes).map(({ code }) => code)

t.test('a healthy service has no problems', async (t) => {
  t.strictSame(problemsOf({ files: [file()], schedule: scheduled() }), [])
})

t.test('a message lists at most five names', async (t) => {
  const names = ['a.json', 'b.json', 'c.json', 'd.json', 'e.json']
  const [five] = problemsOf({ unknown: names })
  const message = /: a\.json, b\.json, c\.json, d\.json, e\.json; adopt/
  t.match(five, { code: 'files_unknown', message, since: null })
  t.strictSame(five?.backupIds, [])
  const [six] = problemsOf({ unknown: [...names, 'f.json'] })
  t.match(six, { message: /: a\.json, b\.json, c\.json, d\.json, e\.json and 1 more; adopt/ })
})

t.test('a message says what is wrong and what to do', async (t) => {
  const failure = { reason: 'TypeError', since: now }
  t.strictSame(problemsOf({
    clockOffsetMs: 60_501,
    files: [file({ startedAt: ago(-61_000).toISOString() }), file({ filename: 'gone.json' })],
    unknown: ['b.json'],
    storageTaken: 'The storage belongs to another service',
    failing: [
      { id: 'x', schema: 'a', since: ago(hour).toISOString(), error: 'x' },
      { id: 'y', schema: 'b', since: now.toISOString(), error: 'y' }
    ],
    schedule: scheduled({ schemas: ['a', 'b'], failure, firstRuns: new Map([['a', ago(3 * hour)]]) })
  }).map(({ message }) => message), [
    "The clock of this service is 61 s behind the database's; synchronize both",
    'The storage belongs to another service',
    'Completed backups have no file in the storage: gone.json; put the files back, delete the backups, or ' +
      'accept the loss by a rescan (fastify-backup rescan, or fastify.backup.rescan())',
    'Files in the storage have no row in the log: b.json; adopt those that are snapshots by a rescan ' +
      '(fastify-backup rescan, or fastify.backup.rescan()), and move the others elsewhere',
    'The last run of a, b failed: see their newest failed backups; remove the cause and make a backup, or wait for ' +
      'the next run of the schedule',
    'The function schedule.schemas did not return the schemas to back up (TypeError), so none is backed up; see why ' +
      'it fails',
    'The schedule names schemas that do not exist in the database: b; create them, or remove them from ' +
      'schedule.schemas',
    "Snapshots are dated later than the database's clock: a_1.json; correct the clock of the service that made them, " +
      'and delete them when newer ones exist'
  ])
  t.strictSame(problemsOf({ stored: null, storageMissingSince: now }).map(({ message }) => message), [
    'The storage cannot be listed; check that it is reachable and that the service may read it, and see its errors ' +
      'in the log of the service',
    'The storage contains neither the marker nor any of the snapshots that this backup log has left there, and ' +
      'nothing is written to it; mount it again, or accept it as it is by a rescan (fastify-backup rescan, or ' +
      'fastify.backup.rescan())'
  ])
  const late = scheduled({ schemas: ['a', 'b'], existing: new Set(['a', 'b']) })
  t.strictSame(problemsOf({ schedule: late }).map(({ message }) => message), [
    'Scheduled schemas have no good snapshot that is new enough: a, b (partial, suspect and damaged snapshots do ' +
      'not count); see their newest backups and the log of the service, or create one'
  ])
})

t.test('clocks may differ by a minute', async (t) => {
  t.strictSame(codesOf({ clockOffsetMs: 60_000 }), [])
  const [behind] = problemsOf({ clockOffsetMs: 61_000 })
  t.match(behind, { code: 'clock_differs', message: /61 s behind/, since: null })
  const [ahead] = problemsOf({ clockOffsetMs: -61_000 })
  t.match(ahead, { code: 'clock_differs', message: /61 s ahead of/ })
})

t.test('a snapshot is in the future by the clock of the database', async (t) => {
  t.strictSame(codesOf({ files: [file({ startedAt: ago(-60_000).toISOString() })] }), [])
  const [problem, ...others] = problemsOf({ files: [file({ startedAt: ago(-61_000).toISOString() }), file()] })
  t.match(problem, { code: 'snapshot_in_future', message: /: a_1\.json;/, since: null })
  t.strictSame(others, [])
})

t.test('while the storage cannot be listed, neither files nor snapshots count as missing or old', async (t) => {
  const [problem, ...others] = problemsOf({ stored: null, files: [file()], schedule: scheduled() })
  const message = /; check that it is reachable and that the service may read/
  t.match(problem, { code: 'storage_unavailable', message })
  t.strictSame(others, [])
})

t.test('files are missing, unless the complete storage is missing or the loss was accepted', async (t) => {
  const files = Array.from({ length: 7 }, (_, index) => file({ filename: `b_${index}.json` }))
  const [problem] = problemsOf({ files })
  t.match(problem, {
    code: 'files_missing',
    message: /: b_0.json, b_1.json, b_2.json, b_3.json, b_4.json and 2 more;/
  })
  const [storage, ...others] = problemsOf({ files, storageMissingSince: now })
  t.match(storage, { code: 'storage_missing', since: now.toISOString() })
  t.strictSame(others, [])
  t.strictSame(codesOf({ files: files.map((held) => ({ ...held, isExpected: false })) }), [])
  t.strictSame(codesOf({ storageTaken: 'x' }), ['storage_taken'])
})

t.test('failed runs are reported since the earliest one', async (t) => {
  const one = { id: 'x', schema: 'a', since: ago(hour).toISOString(), error: 'the disk is full' }
  const [problem] = problemsOf({ failing: [one] })
  t.strictSame(problem, {
    code: 'run_failed',
    message: 'The last run of a failed: the disk is full; remove the cause and make a backup, or wait for the next ' +
      'run of the schedule',
    since: ago(hour).toISOString(),
    backupIds: ['x'],
    schemas: ['a']
  })
  const two = { id: 'y', schema: 'b', since: ago(2 * hour).toISOString(), error: 'x' }
  const [several] = problemsOf({ failing: [one, two] })
  t.match(several, { message: /of a, b failed: see/, since: ago(2 * hour).toISOString() })
})

t.test('the schemas of the schedule are unknown or do not exist', async (t) => {
  const failure = { reason: 'TypeError', since: ago(hour) }
  const [unknown] = problemsOf({ schedule: scheduled({ schemas: [], failure }) })
  t.match(unknown, { code: 'schemas_unknown', message: /TypeError/, since: ago(hour).toISOString() })
  const absent = scheduled({ existing: new Set() })
  t.strictSame(codesOf({ schedule: absent }), ['schema_missing'], 'a missing schema has no old snapshot')
})

t.test('the newest available snapshot is too old after an interval, a tolerance and its own duration', async (t) => {
  const age = (minutes: number, changes: Partial<LoggedFile> = {}): Partial<Facts> => {
    return { files: [file({ startedAt: ago(minutes * 60_000).toISOString(), ...changes })], schedule: scheduled() }
  }
  t.strictSame(codesOf(age(65)), [])
  t.strictSame(codesOf(age(67)), ['snapshot_too_old'])
  t.match(problemsOf(age(67))[0], { since: ago(60_000).toISOString(), message: /: a \(/ })
  t.strictSame(problemsOf(age(67))[0]?.schemas, ['a'])
  t.strictSame(codesOf(age(67, { durationMs: 5 * 60_000 })), [])
  t.strictSame(codesOf(age(30, { isFull: false })), ['snapshot_too_old'], 'a partial snapshot does not count')
  t.strictSame(codesOf(age(30, { isSuspect: true })), ['snapshot_too_old'], 'a suspect snapshot does not count')
  t.strictSame(codesOf(age(30, { damagedAt: now.toISOString() })), ['snapshot_too_old', 'snapshot_damaged'],
    'a damaged snapshot does not count')
  const gone = age(30, { filename: 'gone.json', isExpected: false })
  t.strictSame(codesOf(gone), ['snapshot_too_old'], 'a snapshot whose file is gone does not count')
  const old = (hours: number): LoggedFile => file({ startedAt: ago(hours * hour).toISOString() })
  const files = [old(3), file(), old(2)]
  t.strictSame(codesOf({ files, schedule: scheduled() }), [], 'the newest snapshot counts')
})

t.test('the tolerance is at least five minutes; the problem exists since the earliest due time', async (t) => {
  const slots = intervalCadence('*/10 * * * *')
  const age = (minutes: number, schema = 'a'): LoggedFile =>
    file({ schema, startedAt: ago(minutes * 60_000).toISOString() })
  t.strictSame(codesOf({ files: [age(15)], schedule: scheduled({ slots }) }), [])
  t.strictSame(codesOf({ files: [age(16)], schedule: scheduled({ slots }) }), ['snapshot_too_old'])
  const schedule = scheduled({ slots, schemas: ['a', 'b'], existing: new Set(['a', 'b']) })
  const [problem] = problemsOf({ files: [age(16), age(18, 'b')], schedule })
  t.match(problem, { message: /: a, b \(/, since: ago(3 * 60_000).toISOString() })
})

t.test('a run in progress delays the due time by at most one interval', async (t) => {
  const files = [file({ startedAt: ago(90 * 60_000).toISOString() })]
  const running = (minutes: number): ScheduleFacts => scheduled({ running: new Map([['a', ago(minutes * 60_000)]]) })
  t.strictSame(codesOf({ files, schedule: running(29) }), [])
  t.strictSame(codesOf({ files, schedule: running(31) }), ['snapshot_too_old'], 'it belongs to the previous slot')
})

t.test('without a snapshot, the first slot after the start or after the first row in the log counts', async (t) => {
  t.strictSame(codesOf({ schedule: scheduled({ startedAt: ago(25 * 60_000) }) }), [])
  t.strictSame(codesOf({ schedule: scheduled({ startedAt: ago(35 * 60_000) }) }), ['snapshot_too_old'])
  const justDue = scheduled({ slots: intervalCadence('*/10 * * * *'), startedAt: ago(6 * 60_000) })
  t.strictSame(codesOf({ schedule: justDue }), [], 'the tolerance follows the slot')
  const restarted = scheduled({ startedAt: now, firstRuns: new Map([['a', ago(3 * hour)]]) })
  t.strictSame(codesOf({ schedule: restarted }), ['snapshot_too_old'], 'a restart does not change it')
})

t.test('an interval may span a weekend', async (t) => {
  const slots = calendarCadence('0 2 * * 1-5', 'UTC')
  const due = (newest: string, time: string): string =>
    dueAt(scheduled({ slots }), 'a', file({ startedAt: newest }), new Date(time)).toISOString()
  const friday = '2026-11-20T02:00:00.000Z'
  t.equal(due(friday, '2026-11-22T10:00:00.000Z'), '2026-11-23T09:12:00.000Z', 'on Sunday')
  t.equal(due(friday, '2026-11-23T10:00:00.000Z'), '2026-11-23T09:12:00.000Z', 'on Monday')
  t.equal(due('2026-11-24T02:00:00.000Z', '2026-11-25T03:00:00.000Z'), '2026-11-25T04:24:00.000Z', 'within the week')
})

t.test('suspect snapshots are reported with the loss, their ids, and the good snapshot that is held', async (t) => {
  const suspect = [{ table: 'users', rowsBefore: 200, rows: 1 }, { table: null, rowsBefore: 300, rows: 2 }]
  const one = { id: 'x', schema: 'a', since: ago(hour).toISOString(), suspect }
  const lost = 'The newest snapshot of a lost many rows: users from 200 to 1 rows, all tables together from 300 to ' +
    '2 rows'
  t.strictSame(problemsOf({ suspects: [one] }), [{
    code: 'suspect_snapshot',
    message: `${lost}; no good snapshot before it is available: accept the loss of x (Accept on its page, or ` +
      'fastify-backup accept)',
    since: one.since,
    backupIds: ['x'],
    schemas: ['a']
  }])
  const two = { ...one, id: 'y', schema: 'b', since: ago(2 * hour).toISOString() }
  const startedAt = ago(3 * hour).toISOString()
  const files = [
    file({ id: 'older' }), file({ id: 'good', startedAt }), file({ id: 'x', isSuspect: true }),
    file({ id: 'of another schema', schema: 'c' })
  ]
  const [several] = problemsOf({ suspects: [one, two], files })
  t.strictSame(several, {
    code: 'suspect_snapshot',
    message: `${lost}; so have b; the snapshots before it are held: restore that of ${startedAt} (good), or accept ` +
      'the loss of x (a), y (b) (Accept on its page, or fastify-backup accept)',
    since: two.since,
    backupIds: ['x', 'y'],
    schemas: ['a', 'b']
  })
})

t.test('damaged files are reported until they are removed, also while the storage cannot be listed', async (t) => {
  const damagedAt = ago(hour).toISOString()
  const files = [file({ id: 'y', damagedAt: now.toISOString() }), file({ damagedAt }), file({ id: 'z' })]
  t.strictSame(problemsOf({ files }), [{
    code: 'snapshot_damaged',
    message: 'The last verification found snapshots damaged: a_1.json, a_1.json; delete them, or put the files back ' +
      'and verify again',
    since: damagedAt,
    backupIds: ['y', 'x'],
    schemas: ['a']
  }])
  t.strictSame(codesOf({ files, stored: null }), ['storage_unavailable', 'snapshot_damaged'])
  t.strictSame(codesOf({ files, stored: new Set() }), ['files_missing'])
})

t.test('a problem names at most 100 backups and schemas', async (t) => {
  const files = Array.from({ length: 101 }, (_, index) => file({ id: `${index}`, schema: `s${index}` }))
  const [problem] = problemsOf({ files, stored: new Set() })
  t.strictSame([problem?.backupIds.length, problem?.schemas.length], [100, 100])
})

t.test('files that cannot be deleted are listed', async (t) => {
  const since = ago(hour).toISOString()
  t.strictSame(problemsOf({ undeletable: [{ id: 'x', schema: 'a', filename: 'a_0.json', since }] }), [{
    code: 'file_undeletable',
    message: 'Files of removed backups cannot be deleted: a_0.json; delete them by hand, or make them deletable',
    since,
    backupIds: ['x'],
    schemas: ['a']
  }])
})
