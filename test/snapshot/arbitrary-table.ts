import fc from '../support/fast-check.ts'
import type { ElementEncoding, EncodedColumn, Encoding } from '../../lib/snapshot/codec/column-encoding.ts'
import { arrayOut, type ArrayValue, copyLine, elementJson } from './copy-text.ts'

/** A value's text form, and the result of JSON.parse() for it: undefined when the key is absent. */
export interface Value { text: string | null, json: unknown }
export interface Table { columns: EncodedColumn[], rows: Value[][] }

export const lineOf = (row: Value[]): Buffer => copyLine(row.map(({ text }) => text))

/** Characters that are special in COPY text, in arrays or in JSON, and characters of one to four bytes. */
const awkward = [
  ...Array.from({ length: 31 }, (_, index) => String.fromCharCode(index + 1)),
  '\\',
  '\\\\',
  '"',
  '/',
  '{',
  '}',
  '[',
  ']',
  ',',
  ';',
  ':',
  ' ',
  "'",
  '\\N',
  '\\.',
  'NULL',
  'null',
  'N',
  'u0041',
  '\x7f',
  '\x80',
  'é',
  '\u2028',
  '\ufeff',
  '\uffff',
  '世',
  '😀',
  '\u{10ffff}'
]

/** Any text that PostgreSQL can store. */
export const textOf = (
  unit: fc.Arbitrary<string> = fc.oneof(
    fc.constantFrom(...awkward),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 2 })
  )
): fc.Arbitrary<string> =>
  fc.string({ unit, maxLength: 12 }).map((text) => Buffer.from(text.replaceAll('\0', '')).toString())

const nullWord = fc.constantFrom('NULL', 'null', 'NuLL', 'nULl')
const text = fc.oneof({ weight: 9, arbitrary: textOf() }, nullWord)

/** Numbers as float8out() and int4out() write them. */
const number = fc.oneof(
  fc.integer().map(String),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => (Object.is(value, -0) ? '-0' : String(value).replace(/e([+-])(\d)$/, 'e$10$2'))),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '1e+20', '-0', '0')
)
const boolean = fc.constantFrom('t', 'f')
const elements: Record<ElementEncoding, fc.Arbitrary<string>> = { boolean, number, text }

export const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 5 })

/** The text form of jsonb: a space after colons and commas, numbers of any size, no raw control characters. */
export const jsonb: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      'null',
      'true',
      '12345678901234567890.123456789012345678901234567890',
      '-0.00',
      '1e400',
      '{}',
      '[]'
    ),
    textOf().map((value) => JSON.stringify(value)),
    fc.array(tie('value'), { maxLength: 4 }).map((values) => `[${values.join(', ')}]`),
    fc
      .uniqueArray(fc.tuple(fc.oneof(textOf(), fc.constantFrom('__proto__', 'constructor')), tie('value')), {
        selector: ([key]) => key,
        maxLength: 4
      })
      .map((entries) => `{${entries.map(([key, value]) => `${JSON.stringify(key)}: ${value}`).join(', ')}}`)
  )
})).value

/** An array of one to three dimensions, with rows of equal length, or an empty array. */
export const arrayValue = (element: fc.Arbitrary<string | null>): fc.Arbitrary<ArrayValue> =>
  fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }).chain((dimensions) => {
    if (dimensions.length === 0) return fc.constant([])
    return dimensions.reduceRight<fc.Arbitrary<string | null | ArrayValue>>(
      (inner, length) => fc.array(inner, { minLength: length, maxLength: length }),
      element
    ) as fc.Arbitrary<ArrayValue>
  })

function toJson (value: ArrayValue, encoding: ElementEncoding): unknown[] {
  return value.map((element) => Array.isArray(element) ? toJson(element, encoding) : elementJson(element, encoding))
}

function arrays (encoding: ElementEncoding, delimiter: string): fc.Arbitrary<Value> {
  const withBounds = fc.tuple(
    fc.integer({ min: -3, max: 3 }).filter((lower) => lower !== 1),
    fc.array(orNull(elements[encoding]), { minLength: 1, maxLength: 3 })
  )
  return fc.oneof(
    {
      weight: 4,
      arbitrary: arrayValue(orNull(elements[encoding])).map((value) => ({
        text: arrayOut(value, delimiter),
        json: toJson(value, encoding)
      }))
    },
    withBounds.map(([lower, value]) => {
      const text = `[${lower}:${lower + value.length - 1}]=${arrayOut(value, delimiter)}`
      return { text, json: text }
    })
  )
}

function values ({ encoding, delimiter }: EncodedColumn): fc.Arbitrary<Value> {
  const isJsonb = encoding === 'jsonb'
  const present: fc.Arbitrary<Value> = isJsonb
    ? jsonb.map((text) => ({ text, json: JSON.parse(text) as unknown }))
    : encoding.endsWith('[]')
      ? arrays(encoding.slice(0, -2) as ElementEncoding, delimiter)
      : elements[encoding as ElementEncoding].map((text) => ({
        text,
        json: elementJson(text, encoding as ElementEncoding)
      }))
  return fc.oneof({ weight: 5, arbitrary: present }, fc.constant({ text: null, json: isJsonb ? undefined : null }))
}

const encoding = fc.constantFrom<Encoding>('boolean', 'number', 'text', 'jsonb', 'boolean[]', 'number[]', 'text[]')
const columnName = fc.oneof(
  textOf().filter((name) => name !== ''),
  fc.constantFrom('id', '__proto__', 'constructor', 'toString', 'a"b', 'a\\b')
)
const columns = fc.uniqueArray(fc.record({ name: columnName, encoding, delimiter: fc.constantFrom(',', ';', '\t') }), {
  selector: ({ name }) => name,
  maxLength: 6
})

/** A table of any columns with up to four rows of any values. */
export const table: fc.Arbitrary<Table> = columns.chain((columns) =>
  fc.array(fc.tuple(...columns.map(values)), { minLength: 1, maxLength: 4 }).map((rows) => ({ columns, rows })))
