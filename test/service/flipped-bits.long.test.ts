import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'

t.test('an intact snapshot has no problems, and every flipped bit is one', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  const bytes = await readFile(path)
  t.strictSame(await engine.verify(id), { ok: true, problems: [] })

  for (let place = 0; place < bytes.length; place++) {
    const flipped = Buffer.from(bytes)
    flipped[place] = (flipped[place] as number) ^ (1 << (place % 8))
    await writeFile(path, flipped)
    const { ok, problems } = await engine.verify(id)
    if (ok || problems.length === 0) t.fail(`the bit in byte ${place} was not noticed`)
  }
  await writeFile(path, bytes)
  t.strictSame(await engine.verify(id), { ok: true, problems: [] })
})

t.test('a restore detects a flipped bit, too, and changes nothing', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: false })
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  const bytes = await readFile(path)
  await place.sql`DELETE FROM orders`
  for (let position = 0; position < bytes.length; position += 31) {
    const flipped = Buffer.from(bytes)
    flipped[position] = (flipped[position] as number) ^ (1 << (position % 8))
    await writeFile(path, flipped)
    await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' }, `byte ${position}`)
  }
  t.strictSame([...await place.sql`SELECT FROM orders`], [])
  t.strictSame((await engine.list()).backups.length, 1, 'there is no pre_restore snapshot')
})
