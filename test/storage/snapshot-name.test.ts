import t from 'tap'
import { isSnapshotName } from '../../lib/storage/snapshot-name.ts'

t.test('names that the plugin creates are accepted', async (t) => {
  for (const name of [
    'public_2026-11-22T17-45-00-123Z.json',
    '%C3%BCml%C3%A4ut_2026-11-22T17-45-00-123Z.json',
    'a.json',
    '-_%.json',
    'a..b_1.json',
    `${'a'.repeat(250)}.json`
  ]) { t.equal(isSnapshotName(name), true, name) }
})

t.test('all other names are refused', async (t) => {
  for (const name of [
    '',
    '.json',
    '..json',
    '.',
    '..',
    '.a.json',
    '../a.json',
    './a.json',
    'a/b.json',
    '/a.json',
    'a\\b.json',
    'C:a.json',
    'a.json:stream',
    'a.json/',
    'a.json\n',
    '\na.json',
    'a\0.json',
    'ä.json',
    'a b.json',
    'a.JSON',
    'a.json.partial',
    'json',
    'ajson',
    '~/a.json',
    `${'a'.repeat(251)}.json`
  ]) { t.equal(isSnapshotName(name), false, JSON.stringify(name)) }
})
