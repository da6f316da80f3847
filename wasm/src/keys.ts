import { Outcome, Reading } from './reading'
import { WIDTH } from './vectors'

/**
 * Whether the input continues with the key, `,"name":`.
 * @param omitted bytes at the start of the key that the input does not have: 1, the comma, for the first key of a row
 */
export function matchKey (key: usize, keySize: usize, omitted: usize, from: usize): Outcome {
  const size = keySize - omitted
  const available = min(size, Reading.inputEnd - from)
  for (let at: usize = 0; at < available; at += WIDTH) {
    const differences: u32 = i8x16.bitmask(i8x16.ne(v128.load(from + at), v128.load(key + omitted + at)))
    const rest = available - at
    if ((rest < WIDTH ? differences & ((1 << <u32>rest) - 1) : differences) !== 0) return Outcome.refused
  }
  return available === size ? Outcome.done : Outcome.inputUsed
}
