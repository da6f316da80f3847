import { QUOTE } from './characters'
import { Outcome, Reading } from './reading'
import { escapes, plainBytes, WIDTH } from './vectors'

/**
 * The functions that encode a value take the position of its first byte and return the position after it, or 0 if they
 * stop. They write at Reading.output, and move it. Whoever called them discards the row after a stop, so they need not
 * continue in the middle of one.
 */
export class Stop { static outcome: Outcome = Outcome.done }

/** Stops: more bytes are needed, there is no room for more output, or the value is refused. */
export function stopFor (outcome: Outcome): usize {
  Stop.outcome = outcome
  return 0
}

export function refuse (): usize {
  return stopFor(Outcome.refused)
}

/** The position after a word, if matchWord() found it. */
export function after (matched: Outcome, end: usize): usize {
  return matched === Outcome.done ? end : stopFor(matched)
}

/** The quote behind the short text at `from`, which contains no escape, or 0. */
export function findQuote (from: usize): usize {
  const end = Reading.inputEnd
  let at = from
  while (true) {
    const size = plainBytes(escapes(v128.load(at)), at, end)
    at += size
    if (size === WIDTH) continue
    if (at === end) return stopFor(Outcome.inputUsed)
    return load<u8>(at) === QUOTE ? at : refuse()
  }
}

/** Writes a field of four bytes, and the length in front of it. */
export function writeFour (value: u32): void {
  store<u32>(Reading.output, bswap<u32>(4))
  store<u32>(Reading.output, bswap<u32>(value), 4)
  Reading.output += 8
}

/** Writes a field of eight bytes, and the length in front of it. */
export function writeEight (value: u64): void {
  store<u32>(Reading.output, bswap<u32>(8))
  store<u64>(Reading.output, bswap<u64>(value), 4)
  Reading.output += 12
}

/** The length of SQL NULL. */
export function writeNull (): void {
  store<u32>(Reading.output, u32.MAX_VALUE)
  Reading.output += 4
}

/** Writes the length of the field that ends at the position of the output, in front of it. */
export function writeLength (start: usize): void {
  store<u32>(start, bswap<u32>(<u32>(Reading.output - start - 4)))
}
