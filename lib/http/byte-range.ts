import type { ByteRange } from '../../types/index.ts'

/**
 * Parses a Range header (RFC 9110, 14.1.2 and 14.2) for a file of `size` bytes. Returns `null` when the file contains
 * none of the requested bytes. Returns `undefined` when the header must be ignored: it is malformed, in another unit,
 * or requests several ranges, in which case a server may send the complete file.
 *
 * Does not use range-parser, whose version 1.3.0 rejects a suffix longer than the file as unsatisfiable
 * (jshttp/range-parser#66).
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
