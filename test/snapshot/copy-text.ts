import type { ElementEncoding } from '../../lib/snapshot/codec/column-encoding.ts'

const letters = new Map(
  Object.entries({ '\\': '\\', '\b': 'b', '\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r' })
)

/** A value's text form as COPY TO writes it (CopyAttributeOutText in copyto.c); null is SQL NULL. */
export const copyField = (text: string | null): string =>
  text === null ? '\\N' : text.replaceAll(/[\\\b\t\n\v\f\r]/g, (character) => `\\${letters.get(character) ?? ''}`)

export const copyLine = (fields: Array<string | null>): Buffer => Buffer.from(`${fields.map(copyField).join('\t')}\n`)

/** Text forms of the elements; null is SQL NULL. */
export type ArrayValue = Array<string | null | ArrayValue>

/** An array's text form as array_out() writes it (arrayfuncs.c). */
export function arrayOut (value: ArrayValue, delimiter = ','): string {
  const elements = value.map((element) => {
    if (element === null) return 'NULL'
    if (typeof element !== 'string') return arrayOut(element, delimiter)
    const isPlain =
      element !== '' &&
      element.toLowerCase() !== 'null' &&
      !/["\\{} \t\n\r\v\f]/.test(element) &&
      !element.includes(delimiter)
    return isPlain ? element : `"${element.replaceAll(/["\\]/g, '\\$&')}"`
  })
  return `{${elements.join(delimiter)}}`
}

/** What JSON.parse() must make of an element. */
export function elementJson (text: string | null, encoding: ElementEncoding): unknown {
  if (text === null) return null
  if (encoding === 'boolean') return text === 't'
  return encoding === 'number' && /\d/.test(text) ? Number(text) : text
}
