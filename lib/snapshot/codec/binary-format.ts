import type { CatalogColumn } from '../../postgres/catalog/tables.ts'

/** The encoders of wasm/src/binary-column.ts, in its order. */
const formats = [
  'boolean', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'text', 'bytea', 'jsonb', 'uuid', 'date', 'time',
  'timestamp', 'timestamptz', 'array', 'interval'
] as const
type Format = typeof formats[number]

/** Their numbers. */
export const formatNumbers = Object.fromEntries(formats.map((format, index) => [format, index])) as
  Record<Format, number>

/** How the values of a column are written in COPY BINARY. */
export interface BinaryColumn {
  name: string
  format: Format
  /** Of an array. */
  element?: { format: Format, oid: number }
}

/** The OIDs of built-in types never change (src/include/catalog/pg_type.dat). text, json, char(n), varchar: as text. */
const builtIn = new Map<number, Format>([
  [16, 'boolean'], [17, 'bytea'], [20, 'int8'], [21, 'int2'], [23, 'int4'], [25, 'text'], [114, 'text'],
  [700, 'float4'], [701, 'float8'], [1042, 'text'], [1043, 'text'], [1082, 'date'], [1083, 'time'],
  [1114, 'timestamp'], [1184, 'timestamptz'], [1186, 'interval'], [1700, 'numeric'], [2950, 'uuid'], [3802, 'jsonb']
])
const json = new Set([114, 3802])

/**
 * How COPY BINARY represents the column (manual, 55.7 and the receive functions of the types); undefined where only
 * text is certain to give the same value. A domain is received as its base type, and an enum by its label.
 */
export function binaryColumn ({ name, baseType, isEnum, element }: CatalogColumn): BinaryColumn | undefined {
  if (element === null) {
    const format = isEnum ? 'text' : builtIn.get(baseType)
    return format === undefined ? undefined : { name, format }
  }
  // Arrays of json and jsonb are text in a snapshot
  const format = element.isEnum ? 'text' : json.has(element.type) ? undefined : builtIn.get(element.type)
  return format === undefined ? undefined : { name, format: 'array', element: { format, oid: element.oid } }
}
