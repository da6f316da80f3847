import type { CatalogColumn } from '../../postgres/catalog/tables.ts'

/** The encoders of wasm/src/binary-column.ts, in its order. */
const encoders = [
  'boolean', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'bytea', 'jsonb', 'uuid', 'date', 'time',
  'timestamp', 'timestamptz', 'array', 'interval'
] as const
type Encoder = typeof encoders[number]

/** Their numbers. */
export const encoderNumbers = Object.fromEntries(encoders.map((encoder, index) => [encoder, index])) as
  Record<Encoder, number>

/** How the values of a column are written in COPY BINARY. */
export interface BinaryColumn {
  name: string
  encoder: Encoder
  /** Of an array: the encoder and the OID of the type of its elements. */
  element?: { encoder: Encoder, oid: number }
}

/**
 * The OIDs of built-in types never change (src/include/catalog/pg_type.dat). json, varchar and char(n) are received
 * like text.
 */
const builtIn = new Map<number, Encoder>([
  [16, 'boolean'], [17, 'bytea'], [20, 'int8'], [21, 'int2'], [23, 'int4'], [25, 'text'], [114, 'text'],
  [700, 'float4'], [701, 'float8'], [1042, 'text'], [1043, 'text'], [1082, 'date'], [1083, 'time'],
  [1114, 'timestamp'], [1184, 'timestamptz'], [1186, 'interval'], [1700, 'numeric'], [2950, 'uuid'], [3802, 'jsonb']
])
const json = new Set([114, 3802])

/**
 * How COPY BINARY represents the column; undefined if its type has no encoder. The receive function of a type defines
 * that (src/backend/utils/adt). A domain is received as its base type, and an enum as its label.
 */
export function binaryColumn ({ name, baseType, isEnum, element }: CatalogColumn): BinaryColumn | undefined {
  if (element === null) {
    const encoder = isEnum ? 'text' : builtIn.get(baseType)
    return encoder && { name, encoder }
  }
  // Arrays of json and jsonb are text in a snapshot
  if (json.has(element.baseType)) return undefined
  const encoder = element.isEnum ? 'text' : builtIn.get(element.baseType)
  return encoder && { name, encoder: 'array', element: { encoder, oid: element.type } }
}
