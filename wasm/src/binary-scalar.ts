import { Encoder } from './binary-column'
import { encodeBoolean, encodeFloat4, encodeFloat8, encodeInt2, encodeInt4, encodeInt8 } from './binary-numbers'
import { encodeNumeric } from './binary-numeric'
import { encodeBytea, encodeUuid } from './binary-hex'
import { encodeInterval } from './binary-interval'
import { encodeJsonb, encodeText } from './binary-text'
import { encodeDate, encodeTime, encodeTimestamp } from './binary-times'
import { refuse } from './binary-value'

/** Encodes a value that is no array. */
export function encodeScalar (encoder: Encoder, from: usize): usize {
  switch (encoder) {
    case Encoder.boolean: return encodeBoolean(from)
    case Encoder.int2: return encodeInt2(from)
    case Encoder.int4: return encodeInt4(from)
    case Encoder.int8: return encodeInt8(from)
    case Encoder.float4: return encodeFloat4(from)
    case Encoder.float8: return encodeFloat8(from)
    case Encoder.numeric: return encodeNumeric(from)
    case Encoder.text: return encodeText(from)
    case Encoder.bytea: return encodeBytea(from)
    case Encoder.jsonb: return encodeJsonb(from)
    case Encoder.uuid: return encodeUuid(from)
    case Encoder.date: return encodeDate(from)
    case Encoder.time: return encodeTime(from)
    case Encoder.timestamp: return encodeTimestamp(from, false)
    case Encoder.timestamptz: return encodeTimestamp(from, true)
    case Encoder.interval: return encodeInterval(from)
    default: return refuse()
  }
}
