import type { ManifestColumn } from '../../../types/index.ts'
import type { CatalogColumn } from '../../postgres/catalog/tables.ts'

/**
 * How a column's values are written in JSON. `text` is a string with PostgreSQL's text form, which every type has.
 * Integers of 64 bits and numeric are text, since JSON.parse() would round them. jsonb is embedded unchanged.
 */
export type Encoding = NonNullable<ManifestColumn['encoding']>
export type ElementEncoding = 'boolean' | 'number' | 'text'

export interface EncodedColumn { name: string, encoding: Encoding, delimiter: string }

/** The OIDs of built-in types never change (src/include/catalog/pg_type.dat). */
const oid = { bool: 16, int2: 21, int4: 23, json: 114, float4: 700, float8: 701, jsonb: 3802 }
const numbers = new Set([oid.int2, oid.int4, oid.float4, oid.float8])
const elementEncodings = new Map<string, ElementEncoding>([
  ['boolean', 'boolean'],
  ['smallint', 'number'],
  ['integer', 'number'],
  ['real', 'number'],
  ['double precision', 'number']
])

function elementEncoding (type: number): ElementEncoding {
  return type === oid.bool ? 'boolean' : numbers.has(type) ? 'number' : 'text'
}

/**
 * Arrays are JSON arrays, with two exceptions, which are text: elements of json or jsonb, since a JSON array cannot
 * distinguish their null from SQL NULL, and elements that are arrays themselves, by a domain.
 */
function catalogEncoding ({ baseType, element }: CatalogColumn): Encoding {
  if (baseType === oid.jsonb) return 'jsonb'
  if (element === null) return elementEncoding(baseType)
  const isText = element.baseType === oid.json || element.baseType === oid.jsonb || element.isArray
  return isText ? 'text' : `${elementEncoding(element.baseType)}[]`
}

/**
 * The encoding that follows from the name of a type alone. The name of a domain, for example, implies none, so it is
 * text.
 */
function namedEncoding (type: string): Encoding {
  if (type === 'jsonb') return 'jsonb'
  if (type.endsWith('[]')) return `${elementEncodings.get(type.slice(0, -2)) ?? 'text'}[]`
  return elementEncodings.get(type) ?? 'text'
}

/** The manifest's entry for a column, with its encoding where that does not follow from the type's name. */
export function describeColumn (column: CatalogColumn): ManifestColumn {
  const encoding = catalogEncoding(column)
  const delimiter = encoding.endsWith('[]') ? column.element?.delimiter : undefined
  return {
    name: column.name,
    type: column.type,
    ...encoding !== namedEncoding(column.type) && { encoding },
    ...delimiter !== undefined && delimiter !== ',' && { delimiter },
    ...column.generated && { generated: true }
  }
}

export function encodedColumn ({ name, type, encoding, delimiter }: ManifestColumn): EncodedColumn {
  return { name, encoding: encoding ?? namedEncoding(type), delimiter: delimiter ?? ',' }
}

/** `number` for `number[]`. */
export const elementOf = (encoding: Encoding): ElementEncoding => encoding.slice(0, -2) as ElementEncoding
