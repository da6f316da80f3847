/** What comes next. */
export const enum Place {
  /** The brace of a row. */
  row,
  /** A comma or the bracket behind the list. Only then is a row complete. */
  separator,
  /** The key of a column, or the end of the row. */
  key,
  /** The first byte of a value. */
  value,
  /** Behind a value. */
  valueEnd,
  string,
  /** In a jsonb value, outside of strings, in a string, and a value without brackets. */
  nested,
  nestedString,
  nestedScalar,
  /** In an array: an element or bracket, and what follows one. */
  element,
  elementEnd,
  /** An element that array_out() quotes, and one that it does not. */
  quotedElement,
  bareElement
}

/** How a function ended. */
export const enum Outcome {
  /** It did what its name says. */
  done,
  /** More bytes are needed. Some bytes of input may be left: they are needed again. */
  inputUsed,
  /** There is no room for more output. */
  outputFull,
  /** The row is not as the writer formats it, or is no row at all: the host decides. */
  refused,
  /** read() only: a row that an earlier call began is complete. */
  rowEnd,
  /** read() only: the bracket behind the list was read. */
  listEnd
}

/**
 * Where a call of read() stands. These are module variables of WebAssembly, so they survive between calls, which lets
 * read() stop and continue at any byte of its input and of its output.
 */
export class Reading {
  /** The next byte of input. */
  static input: usize = 0
  static inputEnd: usize = 0
  /** The next byte of output. */
  static output: usize = 0
  /** Beyond this position there may be no room for a step (rows-to-copy.ts). */
  static outputLimit: usize = 0
  static place: Place = Place.row
}

export function stop (input: usize, output: usize, outcome: Outcome): Outcome {
  Reading.input = input
  Reading.output = output
  return outcome
}

export function proceed (input: usize, output: usize, next: Place): Outcome {
  Reading.place = next
  return stop(input, output, Outcome.done)
}
