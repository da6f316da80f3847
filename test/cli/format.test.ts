import { PassThrough } from 'node:stream'
import postgres from 'postgres'
import t from 'tap'
import { describeDatabase } from '../../lib/cli/describe-database.ts'
import { formatBytes, formatCount, formatDuration, formatTime } from '../../lib/cli/format-values.ts'
import type { Host } from '../../lib/cli/host.ts'
import { printable, safeJson } from '../../lib/cli/printable.ts'
import { renderBackup } from '../../lib/cli/render-backups.ts'
import { renderStatus } from '../../lib/cli/render-status.ts'
import { createStyle, hasColors } from '../../lib/cli/style.ts'
import { renderRecord, renderTable, shorten } from '../../lib/cli/table.ts'
import { createUi, describeEntry, withoutRuns } from '../../lib/cli/ui.ts'
import { createBackupService } from '../../lib/create-backup-service.ts'
import type { Backup, RestoreRecord } from '../../types/index.ts'
import { createBackup } from '../http/engine-double.ts'
import { capture } from './run-here.ts'

const plain = (_color: string, text: string): string => text

t.test('sizes, counts, durations and times are readable', async (t) => {
  t.strictSame([0, 1023, 1024, 1500, 1048575, 5 * 1024 ** 3, 1024 ** 7].map(formatBytes),
    ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB', '5.0 GiB', '1048576.0 PiB'])
  t.equal(formatCount(1234567), '1,234,567')
  t.strictSame([0, 999, 1000, 59_949, 59_950, 200_000, 7_500_000, 100_000_000].map(formatDuration),
    ['0 ms', '999 ms', '1.0 s', '59.9 s', '1 min 0 s', '3 min 20 s', '2 h 5 min', '1 d 3 h'])
  t.equal(formatTime('2026-11-22T17:45:00.123Z'), '2026-11-22 17:45:00')
})

t.test('a name cannot act on the terminal', async (t) => {
  t.equal(printable('a\u001b[2Jb\u009b31mc\u202ed\r\n\u{e0001}\ud800é漢'),
    'a\\u001b[2Jb\\u009b31mc\\u202ed\\u000d\\u000a\\u{e0001}\\ud800é漢')
  const value = { name: 'a\u001b\u009b\u202e\u{e0001}"', list: [1] }
  const json = safeJson(value, 2)
  t.notMatch(json, /[^\n\x20-\x7e]/)
  t.strictSame(JSON.parse(json), value)
  t.ok(json.includes('\n'))
})

t.test('a table leaves out and shortens columns until it fits', async (t) => {
  const columns = [
    { title: 'ID' },
    { title: 'NAME', shrinkTo: 5 },
    { title: 'EMPTY', drop: 3 },
    { title: 'NOTE', drop: 2 },
    { title: 'ROWS', align: 'right' as const, drop: 1 }
  ]
  const rows = [['1', 'a long name', '', 'noted', '10'], ['2', 'b', '', '']]
  const at = (width: number): string[] => renderTable(columns, rows, width, plain).split('\n')
  t.strictSame(at(40), ['ID  NAME         NOTE   ROWS', '1   a long name  noted    10', '2   b'])
  t.strictSame(at(22), ['ID  NAME         ROWS', '1   a long name    10', '2   b'])
  const long = [{ title: 'ID', shrinkTo: 2 }, { title: 'NOTE', drop: 1, shrinkTo: 4 }, { title: 'REMARKS', drop: 0 }]
  const noted = (width: number, remark = ''): string[] =>
    renderTable(long, [['1234', 'a long note', remark]], width, plain).split('\n')
  t.strictSame(noted(11), ['ID    NOTE', '1234  a lo…'], 'a column that may be left out is shortened first')
  t.strictSame(noted(9), ['ID', '1234'])
  t.strictSame(noted(9, 'held'), ['ID  REMARKS', '1…  held'], 'with 0 it is left out only if it is empty')
  const equal = [{ title: 'A', drop: 1, shrinkTo: 2 }, { title: 'B', drop: 1, shrinkTo: 2 }]
  t.strictSame(renderTable(equal, [['12345', '123']], 8, plain).split('\n'), ['A    B', '12…  123'],
    'of two that are as important, the wider one is shortened')
  t.strictSame(at(10), ['ID  NAME', '1   a lon…', '2   b'])
  t.strictSame(at(1), ['ID  NAME', '1   a lo…', '2   b'], 'no column becomes narrower than it may')
})

t.test('wide characters count twice, and are not cut in the middle', async (t) => {
  t.equal(shorten('漢字漢字', 5), '漢字…')
  t.equal(shorten('abc', 3), 'abc')
  t.equal(shorten('abc', 0), '')
})

t.test('a record leaves out what has no value', async (t) => {
  t.equal(renderRecord([['id', '1'], ['note', null], ['remarks', ''], ['long name', 'x\n']], plain),
    'id         1\nlong name  x\\u000a')
})

t.test('colors follow FORCE_COLOR, NO_COLOR and the terminal', async (t) => {
  const [terminal, pipe] = [capture(80).stream, capture().stream]
  t.equal(hasColors(terminal, {}), true)
  t.equal(hasColors(terminal, { NO_COLOR: '1' }), false)
  t.equal(hasColors(terminal, { NO_COLOR: '' }), true)
  t.equal(hasColors(terminal, { TERM: 'dumb' }), false)
  t.equal(hasColors(terminal, { FORCE_COLOR: '0' }), false)
  t.equal(hasColors(pipe, {}), false)
  t.equal(hasColors(pipe, { FORCE_COLOR: '1', NO_COLOR: '1' }), true)
  t.equal(createStyle(terminal, {})('red', 'x'), '\u001b[31mx\u001b[39m')
  t.equal(createStyle(pipe, {})('red', 'x'), 'x')
})

t.test('an entry of the log becomes one line', async (t) => {
  t.equal(describeEntry({ schema: 'shop', files: 2 }, 'found'), 'found (schema: shop, files: 2)')
  t.equal(describeEntry({}, 'found'), 'found')
})

t.test('a backup shows when its last restore began or ended', async (t) => {
  const startedAt = '2026-11-22T17:45:00.123Z'
  type Shown = Pick<RestoreRecord, 'status' | 'startedAt' | 'finishedAt'> & Partial<RestoreRecord>
  const shown = (restore: Shown): string =>
    renderBackup(createBackup({
      restores: [{ schema: 'shop', by: null, preRestoreId: null, error: null, errorCode: null, ...restore }]
    }), plain)
  t.match(shown({ status: 'running', startedAt, finishedAt: null }), 'into shop: running since 2026-11-22 17:45:00 UTC')
  t.match(shown({
    status: 'failed', startedAt, finishedAt: '2026-11-22T17:46:00.123Z', by: 'ada', preRestoreId: '1', error: 'disk'
  }), 'failed at 2026-11-22 17:46:00 UTC (by ada, the rows before are in 1, disk)')
})

t.test('a backup shows its last verification and what was left out', async (t) => {
  const at = '2026-11-22T17:45:00.123Z'
  t.match(renderBackup(createBackup({ verification: { ok: true, at, problems: [] } }), plain),
    /verified +intact at 2026-11-22 17:45:00 UTC$/m)
  const damaged = { ok: false, at, problems: ['it is truncated', 'it has no manifest'] }
  const shown = renderBackup(createBackup({
    verification: damaged, partial: true, excludedTables: ['carts', 'orders']
  }), plain)
  t.match(shown, /verified +damaged at 2026-11-22 17:45:00 UTC: it is truncated; it has no manifest$/m)
  t.match(shown, /left out +carts; orders$/m)
  t.match(shown, /remarks.*damaged, partial/)
})

t.test('a status shows what runs, the next backup, and that there are more schemas', async (t) => {
  const backup = {
    id: '3f2a9c11-0000-4000-8000-000000000000',
    schema: 'shop',
    status: 'running',
    trigger: 'manual',
    startedAt: '2026-11-22T17:45:00.123Z',
    rowCount: null,
    sizeBytes: null,
    storedBytes: null,
    suspect: null,
    note: null
  } as unknown as Backup
  const since = '2026-11-22T17:00:00.000Z'
  const subject = { backupIds: [], schemas: [] }
  const text = renderStatus({
    healthy: false,
    problems: [
      { code: 'run_failed', message: 'The last run failed', since, ...subject },
      { code: 'storage_unavailable', message: 'no storage', since: null, ...subject }
    ],
    allowRestore: true,
    can: { create: true, restore: true, import: true, remove: true },
    nextRunAt: '2026-11-23T02:00:00.000Z',
    running: [backup],
    newest: [],
    newestGood: [],
    newestNext: 'shop',
    bytesHeld: null
  }, 80, plain)
  t.equal(text, [
    'not healthy',
    '  run_failed: The last run failed (since 2026-11-22 17:00:00 UTC)',
    '  storage_unavailable: no storage',
    '',
    'snapshots    not known',
    'next backup  2026-11-23 02:00:00 UTC',
    'restores     allowed',
    '',
    'Running:',
    'ID        SCHEMA  STATUS   TRIGGER  STARTED (UTC)',
    '3f2a9c11  shop    running  manual   2026-11-22 17:45:00',
    'There are more schemas: --after shop'
  ].join('\n'))
})

t.test('the database is named without user and password', async (t) => {
  const env = { PGHOST: 'db', PGPORT: '6000', PGDATABASE: 'env' }
  t.equal(describeDatabase({ connection: 'postgres://u:p@host:1/shop?sslmode=require' }, {}), 'database shop on host:1')
  t.equal(describeDatabase({ connection: 'postgres://' }, env), 'database env on db')
  const other = 'host=live&port=7000&dbname=orders&password=secret'
  t.equal(describeDatabase({ connection: `postgres://u:p@host:1/shop?${other}` }, {}), 'database orders on live:7000')
  t.equal(describeDatabase({ connection: 'postgres:///shop?host=/run/pg' }, env), 'database shop on /run/pg')
  t.equal(describeDatabase({ connection: 'postgres://%2Frun%2Fpg/shop' }, env), 'database shop on /run/pg')
  t.equal(describeDatabase({ connection: { host: 'h', port: 2, database: 'd' } }, env), 'database d on h:2')
  t.equal(describeDatabase({ connection: { db: 'd' } }, {}), 'database d on localhost:5432')
  t.equal(describeDatabase({}, env), 'database env on db:6000')
  t.equal(describeDatabase({}, {}), 'the default database on localhost:5432')
  const sql = postgres({ database: 'own' })
  t.equal(describeDatabase({ sql }, env), 'database own of the pool in the configuration file')
})

t.test('the log of a run is shown without the lines of its outcome, which the command shows', async (t) => {
  const shown: unknown[] = []
  const take = (details: object | string, message?: string): void => { shown.push(message ?? details) }
  const logger = withoutRuns({ debug: take, info: take, warn: take, error: take })
  for (const level of ['warn', 'error'] as const) {
    logger[level]({}, 'restore completed')
    logger[level]({}, `other ${level}`)
    logger[level](`text ${level}`)
  }
  t.strictSame(shown, ['other warn', 'text warn', 'other error', 'text error'])
})

t.test('the log of the service becomes warnings on stderr, with or without details', async (t) => {
  const [stdout, stderr] = [capture(), capture()]
  const host: Host = {
    args: [],
    env: { NO_COLOR: '1' },
    cwd: '/nowhere',
    stdin: new PassThrough(),
    stdout: stdout.stream,
    stderr: stderr.stream,
    interrupted: new AbortController().signal,
    user: 'ada',
    createService: createBackupService
  }
  const { logger } = createUi(host, { json: undefined, progress: false })
  logger.warn('the storage is slow')
  logger.error({ schema: 'shop' }, 'no snapshot')
  logger.info('started')
  t.equal(stderr.text(), 'warning: the storage is slow\nwarning: no snapshot (schema: shop)\n')
  t.equal(stdout.text(), '')
})
