import type { JsonCursor } from './codec/json-cursor.ts'

const COMMA = 0x2c

/** Moves the cursor over a comma, and returns true; or over the closing bracket, and returns false. */
export function acceptSeparator (cursor: JsonCursor, closing: number, what: string): boolean {
  cursor.skipSpace()
  if (cursor.accept(COMMA)) return true
  cursor.expect(closing, `a comma before ${what}, or the closing bracket,`)
  return false
}
