/**
 * An encoder takes the position of the first byte of a value, and returns the position after the value, or 0 if it
 * stops; Stop.outcome then says why. It writes at Reading.output, and moves it. What it has written before a stop is
 * discarded with the row, so an encoder may write before it has checked.
 */
import { MINUS, QUOTE } from './characters'
import { matchNull } from './json-scalars'
import { Outcome, Reading } from './reading'
import { escapes, plainBytes, WIDTH } from './vectors'

/** Why an encoder has stopped. */
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

/** The closing quote of the string at `from`, or 0. Refuses a string with an escape. */
export function closingQuote (from: usize): usize {
  const end = Reading.inputEnd
  if (load<u8>(from) !== QUOTE) return refuse()
  let at = from + 1
  while (true) {
    const size = plainBytes(escapes(v128.load(at)), at, end)
    at += size
    if (size === WIDTH) continue
    if (at === end) return stopFor(Outcome.inputUsed)
    return load<u8>(at) === QUOTE ? at : refuse()
  }
}

/** Words in memory order, little-endian: `NaN`, and `Infinity` as numbers have it. */
const NAN_WORD: u32 = 0x4e614e
export const INFINITY_WORD: u64 = <u64>0x7974696e << 32 | 0x69666e49

export function isNotANumber (from: usize, quote: usize): bool {
  return quote - from === 3 && (load<u32>(from) & 0xffffff) === NAN_WORD
}

/** Whether the text is `word`, which means infinity, or the same with a minus. */
export function isInfinity (from: usize, quote: usize, word: u64): bool {
  const start = load<u8>(from) === MINUS ? from + 1 : from
  return quote - start === 8 && load<u64>(start) === word
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

/** Writes the length of SQL NULL. */
export function writeNull (): void {
  store<u32>(Reading.output, u32.MAX_VALUE)
  Reading.output += 4
}

/** Encodes `null`. */
export function encodeNull (from: usize): usize {
  writeNull()
  return after(matchNull(from), from + 4)
}

/** Writes the length of the field that ends at the position of the output, in front of it. */
export function writeLength (start: usize): void {
  store<u32>(start, bswap<u32>(<u32>(Reading.output - start - 4)))
}
