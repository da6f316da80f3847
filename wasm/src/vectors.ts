import { BACKSLASH, CLOSE_BRACE, OPEN_BRACE, QUOTE, SPACE } from './characters'

/** Bytes in a vector. */
export const WIDTH: usize = 16

export function controls (bytes: v128): v128 {
  return i8x16.lt_u(bytes, i8x16.splat(<i8>SPACE))
}

function equal (bytes: v128, byte: u32): v128 {
  return i8x16.eq(bytes, i8x16.splat(<i8>byte))
}

export function controlsAndBackslashes (bytes: v128): v128 {
  return v128.or(controls(bytes), equal(bytes, BACKSLASH))
}

/** Bytes that are not copied unchanged into a JSON string. */
export function escapes (bytes: v128): v128 {
  return v128.or(controlsAndBackslashes(bytes), equal(bytes, QUOTE))
}

/** Bytes that end an element without quotes, or are not copied unchanged. */
export function elementEnds (bytes: v128, delimiter: u32): v128 {
  return v128.or(escapes(bytes), v128.or(equal(bytes, CLOSE_BRACE), equal(bytes, delimiter)))
}

/** Braces, and brackets, which differ from them in one bit. */
export function brackets (bytes: v128): v128 {
  const braces = v128.or(bytes, i8x16.splat(0x20))
  return v128.or(equal(braces, OPEN_BRACE), equal(braces, CLOSE_BRACE))
}

/** Bytes for which array_out() quotes an element, and those that end or escape in a JSON string. */
export function arrayQuotes (bytes: v128, delimiter: u32): v128 {
  const unquotable = v128.or(i8x16.le_u(bytes, i8x16.splat(<i8>SPACE)), equal(bytes, OPEN_BRACE))
  return v128.or(elementEnds(bytes, delimiter), unquotable)
}

/** The number of bytes before the first marked one, and before `end`, of the vector that was loaded from `from`. */
export function plainBytes (marks: v128, from: usize, end: usize): usize {
  let bits: u32 = i8x16.bitmask(marks) | 1 << <u32>WIDTH
  if (from + WIDTH > end) bits |= 1 << <u32>(end - from)
  return ctz(bits)
}

/**
 * Copies text up to the first byte to escape, the end of the input, or a position beyond `limit`. Returns how many
 * bytes that were.
 */
export function copyUntilEscape (start: usize, output: usize, end: usize, limit: usize): usize {
  let from = start
  let to = output
  while (to <= limit) {
    const bytes = v128.load(from)
    v128.store(to, bytes)
    const plain = plainBytes(escapes(bytes), from, end)
    from += plain
    to += plain
    if (plain < WIDTH) break
    const more = copyPlain(from, to, end, limit)
    from += more
    to += more
  }
  return from - start
}

/**
 * Copies text, 64 bytes at a time, while it contains nothing to escape and there is room, and returns how many
 * bytes that were.
 */
function copyPlain (from: usize, to: usize, end: usize, limit: usize): usize {
  const start = from
  while (from + 4 * WIDTH <= end && to + 4 * WIDTH <= limit) {
    const first = v128.load(from)
    const second = v128.load(from, 16)
    const third = v128.load(from, 32)
    const fourth = v128.load(from, 48)
    const found = v128.or(v128.or(escapes(first), escapes(second)), v128.or(escapes(third), escapes(fourth)))
    if (v128.any_true(found)) break
    v128.store(to, first)
    v128.store(to, second, 16)
    v128.store(to, third, 32)
    v128.store(to, fourth, 48)
    from += 4 * WIDTH
    to += 4 * WIDTH
  }
  return from - start
}
