import { copyFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'

t.test('the pin and note of a file whose name contains dots survive the log', async (t) => {
  for (const name of ['prod.2026-11.json', 'a.json.json', 'prod.sidecar-x.json']) {
    const place = await usePlace(t)
    const former = useEngine(t, place)
    const { id, filename } = await former.create()
    await copyFile(join(place.directory, filename), join(place.directory, name))
    await former.remove(id)
    const { adopted } = await former.rescan()
    t.strictSame(adopted.map((backup) => backup.filename), [name])
    await former.update(String(adopted[0]?.id), { pinned: true, note: 'legal hold' })
    await place.sql`DROP TABLE backup_logs`
    const engine = useEngine(t, place)
    const again = (await engine.rescan()).adopted
    t.equal(again.length, 1)
    t.match(again[0], { filename: name, pinned: true, note: 'legal hold' })
    t.strictSame(engine.lines.filter(({ msg }) => msg.includes('is not adopted')), [])
    await engine.remove(id)
    t.strictSame(await readdir(place.directory), [])
  }
})

t.test('a file whose name is too long for a sidecar is not adopted, and the reason is logged', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { filename } = await engine.create()
  const name = `${'a'.repeat(240)}.json`
  await copyFile(join(place.directory, filename), join(place.directory, name))
  t.strictSame((await engine.rescan()).adopted, [])
  t.match(engine.lines.find(({ msg }) => msg.includes('is not adopted')), { filename: name, reason: /rename it/ })
})
