import t from 'tap'
import type { CatalogColumn } from '../../../lib/postgres/catalog/tables.ts'
import { describeColumn, elementOf, encodedColumn } from '../../../lib/snapshot/codec/column-encoding.ts'

type Element = CatalogColumn['element']

const column = (type: string, baseType: number, element: Element = null): CatalogColumn => ({
  name: 'c',
  type,
  baseType,
  isEnum: false,
  element,
  required: false,
  generated: false
})
const element = (type: number, rest: Partial<NonNullable<Element>> = {}): Element => ({
  type,
  baseType: type,
  isArray: false,
  isEnum: false,
  delimiter: ',',
  ...rest
})
/** OIDs of arrays and of types that are not built in have no effect. */
const array = 1000
const other = 99_999

const implied: Array<[what: string, type: string, encoding: string, baseType: number, Element?]> = [
  ['boolean', 'boolean', 'boolean', 16],
  ['smallint', 'smallint', 'number', 21],
  ['integer', 'integer', 'number', 23],
  ['real', 'real', 'number', 700],
  ['double precision', 'double precision', 'number', 701],
  ['bigint, which JSON.parse() would round', 'bigint', 'text', 20],
  ['numeric, which JSON.parse() would round', 'numeric(10,2)', 'text', 1700],
  ['jsonb', 'jsonb', 'jsonb', 3802],
  ['json, for its exact text', 'json', 'text', 114],
  ['text', 'text', 'text', 25],
  ['int2vector, which has subscripts and is not an array', 'int2vector', 'text', 22],
  ['an enum', 'mood', 'text', other],
  ['an array of boolean', 'boolean[]', 'boolean[]', array, element(16)],
  ['an array of integer', 'integer[]', 'number[]', array, element(23)],
  ['an array of double precision', 'double precision[]', 'number[]', array, element(701)],
  ['an array of bigint', 'bigint[]', 'text[]', array, element(20)],
  ['an array of text', 'text[]', 'text[]', array, element(25)],
  [
    'an array of a type with the name of a property of Object.prototype',
    'constructor[]',
    'text[]',
    array,
    element(other)
  ],
  ['a type with the name of a property of Object.prototype', 'constructor', 'text', other]
]

for (const [what, type, encoding, baseType, element] of implied) {
  t.test(`the encoding of ${what} follows from the name of the type`, async (t) => {
    const described = describeColumn(column(type, baseType, element))
    t.strictSame(described, { name: 'c', type })
    t.strictSame(encodedColumn(described), { name: 'c', encoding, delimiter: ',' })
  })
}

const explicit: Array<
  [
    what: string,
    type: string,
    encoding: 'boolean' | 'number' | 'text' | 'jsonb' | 'number[]' | 'text[]',
    baseType: number,
    Element?
  ]
> = [
  ['a domain over integer', 'age', 'number', 23],
  ['a domain over boolean', 'flag', 'boolean', 16],
  ['a domain over jsonb', 'document', 'jsonb', 3802],
  ['a domain over an array of integer', 'scores', 'number[]', array, element(23)],
  ['an array of a domain over integer', 'age[]', 'number[]', array, element(23)],
  ['an array of json, whose null is not SQL NULL', 'json[]', 'text', array, element(114)],
  ['an array of jsonb', 'jsonb[]', 'text', array, element(3802)],
  [
    'an array of a domain over an array, which can be jagged',
    'scores[]',
    'text',
    array,
    element(array, { isArray: true })
  ],
  ['another type with the name jsonb', 'jsonb', 'text', other]
]

for (const [what, type, encoding, baseType, element] of explicit) {
  t.test(`the manifest contains the encoding of ${what}`, async (t) => {
    const described = describeColumn(column(type, baseType, element))
    t.strictSame(described, { name: 'c', type, encoding })
    t.strictSame(encodedColumn(described), { name: 'c', encoding, delimiter: ',' })
  })
}

t.test('the manifest contains the delimiter of an array that is not a comma', async (t) => {
  const described = describeColumn(column('box[]', array, element(603, { delimiter: ';' })))
  t.strictSame(described, { name: 'c', type: 'box[]', delimiter: ';' })
  t.strictSame(encodedColumn(described), { name: 'c', encoding: 'text[]', delimiter: ';' })
})

t.test('the manifest contains no delimiter for an array that is text', async (t) => {
  const described = describeColumn(column('boxes[]', array, element(array, { isArray: true, delimiter: ';' })))
  t.strictSame(described, { name: 'c', type: 'boxes[]', encoding: 'text' })
})

t.test('the manifest says that a column is generated', async (t) => {
  const described = describeColumn({ ...column('integer', 23), generated: true })
  t.strictSame(described, { name: 'c', type: 'integer', generated: true })
})

t.test('elementOf() returns the encoding of an array\'s elements', async (t) => {
  t.strictSame((['boolean[]', 'number[]', 'text[]'] as const).map(elementOf), ['boolean', 'number', 'text'])
})
