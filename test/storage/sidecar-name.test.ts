import fc from '../support/fast-check.ts'
import t from 'tap'
import { mayHaveSidecars, parseSidecarName, sidecarName } from '../../lib/storage/sidecar-name.ts'
import { isSnapshotName } from '../../lib/storage/snapshot-name.ts'

const characters = 'aZ09%_-..'
const stem = fc
  .array(fc.oneof(fc.constantFrom(...characters), fc.constantFrom('.sidecar-1', '.json')), {
    minLength: 1,
    maxLength: 230
  })
  .map((parts) => parts.join(''))
const snapshot = stem.map((name) => `${name}.json`).filter(isSnapshotName)
const version = fc.integer({ min: 1, max: 999_999_999 })

t.test('parseSidecarName() reverses sidecarName() for every valid name of a snapshot', async (t) => {
  fc.assert(fc.property(snapshot, version, (name, number) => {
    t.strictSame(parseSidecarName(sidecarName(name, number)), { snapshot: name, version: number })
  }), { examples: [['prod.2026-11.json', 1], ['a.sidecar-1.json', 2], ['a.json.json', 1]] })
})

t.test('sidecarName() reverses parseSidecarName(), which accepts no other name', async (t) => {
  const likeSidecar = fc
    .tuple(stem, fc.stringMatching(/^\d{0,11}$/))
    .map(([name, digits]) => `${name}.sidecar-${digits}.json`)
  fc.assert(fc.property(fc.oneof(likeSidecar, snapshot), (name) => {
    const parsed = parseSidecarName(name)
    if (parsed !== undefined) t.equal(sidecarName(parsed.snapshot, parsed.version), name)
  }))
  for (const name of [
    '.sidecar-1.json',
    '.a.sidecar-1.json',
    'a/b.sidecar-1.json',
    'a.sidecar-0.json',
    'a.sidecar-01.json',
    'a.sidecar-1',
    'a.json'
  ]) {
    t.equal(parseSidecarName(name), undefined, name)
  }
})

t.test('mayHaveSidecars() is true only when the names of all sidecars are valid', async (t) => {
  fc.assert(
    fc.property(snapshot, version, (name, number) => {
      t.ok(!mayHaveSidecars(name) || isSnapshotName(sidecarName(name, number)))
    })
  )
  t.ok(mayHaveSidecars(`${'a'.repeat(232)}.json`))
  t.notOk(mayHaveSidecars(`${'a'.repeat(233)}.json`))
})
