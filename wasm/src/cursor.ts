export const enum State {
  /** What separates a row from the one before it. */
  row,
  /** The first byte of a field. */
  field,
  /** The TAB or new line after a field. */
  afterField,
  text,
  digits,
  jsonb,
  /** In an array, between elements. */
  array,
  quotedElement,
  /** An element without quotes that is a JSON string, and one that is a JSON number. */
  bareElement,
  bareNumber
}

/** How a function ended. */
export const enum Result {
  /** It did what its name says. */
  done,
  /** The row needs more bytes. Up to five bytes of input may be left: they are needed again. */
  inputUsed,
  /** There is no room for more output. */
  outputFull,
  /** The row does not have one field for each column, or does not end where its message does. */
  malformed,
  /** run() only: the input does not begin with the complete header of a CopyData message. */
  notARow
}

/**
 * Where a call of run() stands. These are module variables of WebAssembly, so they survive between calls, which lets
 * run() stop and continue at any byte of its input and of its output.
 */
export class Cursor {
  /** The next byte of input. */
  static input: usize = 0
  /** The end of the input that belongs to the current row. */
  static rowEnd: usize = 0
  /** The next byte of output. */
  static output: usize = 0
  /** Beyond this position there may be no room for a step (copy-to-json.ts). */
  static outputLimit: usize = 0
  /** What comes next in the row. */
  static state: State = State.row
}

export function pause (input: usize, output: usize, result: Result): Result {
  Cursor.input = input
  Cursor.output = output
  return result
}

export function finish (input: usize, output: usize, next: State): Result {
  Cursor.state = next
  return pause(input, output, Result.done)
}
