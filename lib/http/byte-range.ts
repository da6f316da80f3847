import type { ByteRange } from '../../types/index.ts'

/**
 * The bytes that a Range header asks for (RFC 9110, 14.1.2 and 14.2), `null` when there are none of them in the file, or `undefined` when
 * the header is to be ignored: it is malformed, in another unit, or asks for several ranges, which a server may answer with the whole.
 *
 * By hand, because range-parser 1.3.0 calls a suffix longer than the file unsatisfiable (jshttp/range-parser#66).
 */
export function parseRange (header: string, size: number): ByteRange | null | undefined {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header)
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const [first, last] = [Number(match[1]), Number(match[2])]

  if (match[1] === '') return last === 0 || size === 0 ? null : { start: Math.max(size - last, 0), end: size - 1 }
  if (match[2] === '') return first < size ? { start: first, end: size - 1 } : null
  if (last < first) return undefined
  return first < size ? { start: first, end: Math.min(last, size - 1) } : null
}
