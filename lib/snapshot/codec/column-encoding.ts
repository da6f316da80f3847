import type { ManifestColumn } from '../../../types/index.ts'
import type { CatalogColumn } from '../../postgres/catalog/tables.ts'

/**
 * How a column's values are written in JSON. `text` is a string of PostgreSQL's text form, which any type has. Integers of 64 bits and
 * numeric are text, since JSON.parse would round them. jsonb is embedded as it is.
 */
export type Encoding = NonNullable<ManifestColumn['encoding']>
export type ElementEncoding = 'boolean' | 'number' | 'text'

export interface EncodedColumn { name: string, encoding: Encoding, delimiter: string }

/** Object identifiers of built-in types are fixed for all time (src/include/catalog/pg_type.dat). */
const oid = { bool: 16, int2: 21, int4: 23, json: 114, float4: 700, float8: 701, jsonb: 3802 }
const numbers = new Set([oid.int2, oid.int4, oid.float4, oid.float8])
const elementEncodings = new Map<string, ElementEncoding>([
  ['boolean', 'boolean'], ['smallint', 'number'], ['integer', 'number'], ['real', 'number'], ['double precision', 'number']
])

function elementEncoding (type: number): ElementEncoding {
  return type === oid.bool ? 'boolean' : numbers.has(type) ? 'number' : 'text'
}

/**
 * Arrays are JSON arrays but for those whose elements a JSON array could not tell apart (json's null and SQL NULL) or are arrays
 * themselves, by a domain.
 */
function catalogEncoding ({ baseType, element }: CatalogColumn): Encoding {
  if (baseType === oid.jsonb) return 'jsonb'
  if (element === null) return elementEncoding(baseType)
  return element.type === oid.json || element.type === oid.jsonb || element.isArray ? 'text' : `${elementEncoding(element.type)}[]`
}

/** What the name of a type tells by itself: that of a domain, say, tells nothing, and is text. */
function namedEncoding (type: string): Encoding {
  if (type === 'jsonb') return 'jsonb'
  return type.endsWith('[]') ? `${elementEncodings.get(type.slice(0, -2)) ?? 'text'}[]` : elementEncodings.get(type) ?? 'text'
}

/** The manifest's entry for a column, with its encoding where the type's name would not tell. */
export function describeColumn (column: CatalogColumn): ManifestColumn {
  const encoding = catalogEncoding(column)
  return {
    name: column.name,
    type: column.type,
    ...encoding !== namedEncoding(column.type) && { encoding },
    ...encoding.endsWith('[]') && column.element !== null && column.element.delimiter !== ',' && { delimiter: column.element.delimiter },
    ...column.generated && { generated: true }
  }
}

export function encodedColumn ({ name, type, encoding, delimiter }: ManifestColumn): EncodedColumn {
  return { name, encoding: encoding ?? namedEncoding(type), delimiter: delimiter ?? ',' }
}

/** Of `number[]`, `number`. */
export const elementOf = (encoding: Encoding): ElementEncoding => encoding.slice(0, -2) as ElementEncoding
