import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createMarkerFile, isMarkerName, type Marker, markerName, parseMarker } from '../../lib/storage/marker.ts'
import { isSnapshotName } from '../../lib/storage/snapshot-name.ts'
import { useDirectory } from '../support/directory.ts'

const marker: Marker = { database: '0123456789ab', log: '16400', instance: 'cafe0123', renewedAt: 1_795_430_000_123 }

t.test('the name contains all fields, and is not a snapshot\'s', async (t) => {
  const name = markerName(marker)
  t.equal(name, '.fastify-backup-log.0123456789ab.16400.cafe0123.1795430000123.json')
  t.strictSame(parseMarker(name), marker)
  t.equal(isMarkerName(name), true)
  t.equal(isSnapshotName(name), false)
})

t.test('other names are not markers', async (t) => {
  const name = markerName(marker)
  for (const other of [
    '',
    name.slice(1),
    `../${name}`,
    `${name}.json`,
    name.replace('cafe', 'CAFE'),
    name.replace('16400', ''),
    name.replace('1795', '1'),
    `${name}\n`
  ]) {
    t.equal(parseMarker(other), undefined, JSON.stringify(other))
    t.equal(isMarkerName(other), false)
  }
})

t.test('createMarkerFile() never replaces a file and creates no directory', async (t) => {
  const directory = await useDirectory(t)
  await createMarkerFile(directory, markerName(marker))
  t.strictSame(await readdir(directory), [markerName(marker)])
  const { mode } = await stat(join(directory, markerName(marker)))
  if (process.platform !== 'win32') t.equal(mode & 0o777, 0o600)
  await t.rejects(createMarkerFile(directory, markerName(marker)), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /write its marker.*EEXIST/
  })
  await writeFile(join(directory, 'file'), '')
  await t.rejects(createMarkerFile(join(directory, 'file'), markerName(marker)), { code: 'FST_BACKUP_STORAGE_FAILED' })
  await t.rejects(createMarkerFile(join(directory, 'gone'), markerName(marker)), {
    code: 'FST_BACKUP_STORAGE_FAILED',
    message: /ENOENT/
  })
})
