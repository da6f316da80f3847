import t from 'tap'
import type { CatalogSequence, SequenceState } from '../../lib/postgres/catalog/sequences.ts'
import { planSequences } from '../../lib/restore/plan-sequences.ts'
import type { Manifest, ManifestSequence } from '../../types/index.ts'
import { manifestOf } from '../snapshot/manifest.ts'

const sequence = (rest: Partial<CatalogSequence> = {}): CatalogSequence => ({
  oid: '1',
  schema: 'public',
  name: 's',
  ownedBy: null,
  ownerSchema: null,
  used: true,
  shared: false,
  readable: true,
  reachable: true,
  owned: true,
  increment: '1',
  range: { least: '1', most: '9223372036854775807' },
  ...rest
})
const stored = (lastValue: string, isCalled = true, rest: Partial<ManifestSequence> = {}): Manifest =>
  manifestOf([], { sequences: [{ name: 's', ownedBy: null, lastValue, isCalled, ...rest }] })
const state = (lastValue: string, isCalled = true): SequenceState => ({ lastValue, isCalled })
type SequenceTarget = Parameters<typeof planSequences>[3]
const whole: SequenceTarget = { schema: 'public', tables: undefined, allowedSchemas: null }

/** Whether the sequence is changed; undefined if the plan does not contain it. */
function changes (
  found: CatalogSequence, now: SequenceState | null, manifest: Manifest, target: SequenceTarget = whole
): boolean | undefined {
  const states = now === null ? [] : [{ ...found, ...now }]
  return planSequences([found], states, manifest, target)[0]?.changes
}

t.test('a sequence that only the restored tables use gets its state in the snapshot back', async (t) => {
  t.strictSame(planSequences([sequence()], [{ ...sequence(), ...state('103') }], stored('3', false), whole),
    [{ sequence: sequence(), now: state('103'), state: state('3', false), changes: true }])
})

t.test('a sequence that others use, too, only goes forward, in its own direction', async (t) => {
  const shared = sequence({ shared: true })
  t.equal(changes(shared, state('103'), stored('3')), false)
  t.equal(changes(shared, state('3'), stored('103')), true)
  t.equal(changes(shared, state('3'), stored('3')), false)
  t.equal(changes(shared, state('3', false), stored('3')), true, 'nextval() would return 3 again')
  t.equal(changes(shared, state('3'), stored('4', false)), false, 'nextval() returns 4 in either case')
  const down = sequence({ shared: true, increment: '-5' })
  t.equal(changes(down, state('-10'), stored('-20')), true)
  t.equal(changes(down, state('-20'), stored('-10')), false)
  t.equal(changes(down, state('-20'), stored('-20')), false)
  t.equal(changes(sequence({ shared: true }), state('9223372036854775806'), stored('9223372036854775807')), true)
})

t.test('a sequence that nothing in the catalog uses goes forward with its whole schema', async (t) => {
  const unused = sequence({ used: false })
  t.equal(changes(unused, state('1', false), stored('50')), true)
  t.equal(changes(unused, state('60'), stored('50')), false)
  t.equal(changes(unused, state('1', false), stored('50'), { ...whole, tables: ['users'] }), undefined)
})

t.test('a sequence in another schema is not in the plan if the call may not change that schema', async (t) => {
  const elsewhere = sequence({ schema: 'other' })
  const manifest = stored('50', true, { schema: 'other' })
  t.equal(changes(elsewhere, state('1'), manifest), true)
  t.equal(changes(elsewhere, state('1'), manifest, { ...whole, allowedSchemas: ['public', 'other'] }), true)
  t.equal(changes(elsewhere, state('1'), manifest, { ...whole, allowedSchemas: ['public'] }), undefined)
  t.equal(changes(sequence({ schema: 'other', used: false }), state('1'), manifest), undefined)
})

t.test('a sequence that the role may not read is set', async (t) => {
  t.strictSame(planSequences([sequence({ shared: true, readable: false })], [], stored('3'), whole)[0], {
    sequence: sequence({ shared: true, readable: false }), now: null, state: state('3'), changes: true
  })
})

t.test('a sequence is found by its name, or by the column that owns it, in the schema that corresponds', async (t) => {
  const owned = { ownedBy: 'users.id' }
  const clone = { ...whole, schema: 'clone' }
  t.equal(changes(sequence({ schema: 'clone' }), state('9'), stored('3'), clone), true)
  const ownedBy = (ownerSchema: string, schema = 'public'): CatalogSequence =>
    sequence({ name: 'x', schema, ...owned, ownerSchema })
  t.equal(changes(ownedBy('clone', 'clone'), state('9'), stored('3', true, owned), clone), true)
  t.equal(changes(ownedBy('public', 'clone'), state('9'), stored('3', true, owned), clone), undefined)
  t.equal(changes(ownedBy('far'), state('9'), stored('3', true, { ...owned, ownerSchema: 'far' })), true)
  t.equal(changes(sequence({ name: 'x', schema: 'clone' }), state('9'), stored('3'), clone), undefined)
})

t.test('the owner identifies a sequence before its name does, unless the column owns several', async (t) => {
  const manifest = manifestOf([], {
    sequences: [
      { name: 'a', ownedBy: 'first.id', lastValue: '1', isCalled: true },
      { name: 'b', ownedBy: 'second.id', lastValue: '2', isCalled: true },
      { name: 'c', ownedBy: 'second.id', lastValue: '3', isCalled: true }
    ]
  })
  const valueOf = (name: string, ownedBy: string): string | undefined =>
    planSequences([sequence({ name, ownedBy, ownerSchema: 'public' })], [], manifest, whole)[0]?.state.lastValue
  t.equal(valueOf('b', 'first.id'), '1')
  t.equal(valueOf('x', 'first.id'), '1')
  t.equal(valueOf('x', 'second.id'), undefined, 'it could be either of the two')
  t.equal(valueOf('c', 'second.id'), '3')
  t.equal(valueOf('c', 'renamed.id'), '3')
})

t.test('a clone that uses a sequence of the saved schema moves it forward, and never back', async (t) => {
  const clone = { ...whole, schema: 'clone' }
  const drawn = sequence({ shared: true, ownedBy: 'users.id', ownerSchema: 'public' })
  const manifest = stored('50', true, { ownedBy: 'users.id' })
  t.equal(changes(drawn, state('103'), manifest, clone), false)
  t.equal(changes(drawn, state('3'), manifest, clone), true)
  t.equal(changes(drawn, state('3'), manifest, { ...clone, allowedSchemas: ['clone'] }), undefined)
  t.equal(changes({ ...drawn, shared: false }, state('3'), manifest, clone), undefined, 'only the clone uses it')
})
