import t from 'tap'
import { FileGone, SnapshotInvalid } from '../../lib/errors.ts'
import type { Backup } from '../../types/index.ts'
import { buildApp } from './build-app.ts'
import { sampleManifest } from './engine-double.ts'

const addressOf = ({ id }: Backup): string => `/admin/backup/${id}/manifest`

t.test('the response is the manifest, with the tag of the file', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put()
  const response = await app.inject(addressOf(backup))
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), sampleManifest(backup.id))
  t.equal(response.headers.etag, `W/"${backup.checksum}"`)
  t.equal(response.headers['cache-control'], 'no-store')
})

t.test('a client that has the manifest gets 304, and the file is not read', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put()
  const headers = { 'if-none-match': `W/"${backup.checksum}"` }
  const response = await app.inject({ url: addressOf(backup), headers })
  t.equal(response.statusCode, 304)
  t.equal(response.body, '')
  t.equal(response.headers.etag, `W/"${backup.checksum}"`)
  t.strictSame(engine.calls, [['get', backup.id]])
  const changed = await app.inject({ url: addressOf(backup), headers: { 'if-none-match': 'W/"other"' } })
  t.equal(changed.statusCode, 200)
})

t.test('the errors are those of a download, and have no tag', async (t) => {
  const { app, engine } = await buildApp(t)
  const backup = engine.put()
  engine.fail('manifest', new SnapshotInvalid('the file is truncated'))
  const damaged = await app.inject(addressOf(backup))
  t.match(damaged.json(), { statusCode: 422, code: 'FST_BACKUP_SNAPSHOT_INVALID' })
  t.equal(damaged.headers.etag, undefined)
  engine.fail('manifest', new FileGone(backup.filename))
  const statusOf = async (url: string): Promise<number> => (await app.inject(url)).statusCode
  t.equal(await statusOf(addressOf(backup)), 410)
  t.equal(await statusOf(addressOf(engine.put('', { status: 'failed' }))), 409)
  t.equal(await statusOf(addressOf(engine.put('', { available: false }))), 410)
  t.equal(await statusOf('/admin/backup/00000000-0000-4000-8000-000000000000/manifest'), 404)
  t.equal(await statusOf('/admin/backup/x/manifest'), 400)
})
