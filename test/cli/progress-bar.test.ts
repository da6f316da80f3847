import t from 'tap'
import { createProgressBar, hasUnicode, renderProgress } from '../../lib/cli/progress-bar.ts'
import type { Progress } from '../../types/index.ts'
import { capture } from './run-here.ts'

const plain = (_color: string, text: string): string => text

const progress: Progress = {
  phase: 'load',
  table: 'orders\u001b[31m',
  tables: 12,
  tablesDone: 3,
  rows: 1234,
  rowsTotal: 5000,
  bytes: 10 * 1024 ** 2,
  bytesTotal: 40 * 1024 ** 2,
  estimated: false,
  percent: 25,
  etaMs: 90_000
}
const unknown: Progress = { ...progress, percent: null, etaMs: null, rowsTotal: null, bytesTotal: null }

t.test('a line has as much as fits', async (t) => {
  const at = (width: number): string => renderProgress(progress, 2 * 1024 ** 2, { width, unicode: true, style: plain })
  t.strictSame([100, 80, 70, 60, 40, 30].map(at), [
    'loading     ████░░░░░░░░░░░░  25%   10.0 MiB    2.0 MiB/s  1 min 30 s left  4/12  orders\\u001b[31m',
    'loading     ████░░░░░░░░░░░░  25%   10.0 MiB    2.0 MiB/s  1 min 30 s left  4/12',
    'loading     25%   10.0 MiB    2.0 MiB/s  1 min 30 s left  orders\\u001…',
    'loading     25%   10.0 MiB    2.0 MiB/s  1 min 30 s left',
    'loading     25%  1 min 30 s left',
    'loading     25%  1 min 30 s left'
  ])
})

t.test('without totals it shows what was done', async (t) => {
  const line = (given: Progress): string => renderProgress(given, null, { width: 60, unicode: false, style: plain })
  t.equal(line(unknown), 'loading      10.0 MiB  1,234 rows  4/12  orders\\u001b[31m')
  t.equal(line({ ...unknown, table: null, tablesDone: 12 }), 'loading      10.0 MiB  1,234 rows  12/12')
})

t.test('a plan shows the rows that it has counted, and no bytes', async (t) => {
  const counting: Progress = { ...progress, phase: 'count', bytes: 0, bytesTotal: null }
  const line = renderProgress(counting, 0, { width: 100, unicode: false, style: plain })
  t.equal(line, 'counting    ####------------  25%  1,234 rows  1 min 30 s left  4/12  orders\\u001b[31m')
})

t.test('ASCII takes the place of blocks where the terminal may lack them', async (t) => {
  const line = renderProgress({ ...progress, etaMs: 100 }, null, { width: 80, unicode: false, style: plain })
  t.equal(line, 'loading     ####------------  25%   10.0 MiB  1 s left  4/12  orders\\u001b[31m')
  t.strictSame([{ LANG: 'C.UTF-8' }, { LC_ALL: 'C', LANG: 'C.UTF-8' }, { WT_SESSION: '1' }, {}].map(hasUnicode),
    [true, false, true, false])
})

t.test('a bar draws ten times a second, and a rate and the time left when they are settled', async (t) => {
  const output = capture(80)
  let now = 0
  const bar = createProgressBar(output.stream, plain, false, () => now)
  bar.clear()
  bar.update(progress)
  now = 50
  bar.update({ ...progress, percent: 26 })
  t.equal(output.text(),
    '\rloading     ####------------  25%   10.0 MiB  4/12  orders\\u001b[31m\u001b[K')
  now = 2000
  bar.update({ ...progress, bytes: 14 * 1024 ** 2, percent: 35 })
  t.match(output.text(), /35% {3}14\.0 MiB {4}2\.0 MiB\/s {2}1 min 30 s left.\[K$/)
  bar.clear()
  t.match(output.text(), /left.\[K\r.\[K$/)
  const { length } = output.text()
  bar.clear()
  t.equal(output.text().length, length)
})

t.test('an unknown phase is shown by its name, on a terminal of unknown width', async (t) => {
  const output = capture()
  const bar = createProgressBar(output.stream, plain, false)
  bar.update({ ...unknown, phase: 'compare\n' as Progress['phase'], table: null })
  t.equal(output.text(), '\rcompare\\u000a   10.0 MiB  1,234 rows  4/12\u001b[K')
})
