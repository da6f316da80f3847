import { until } from '../support/until.ts'

export interface ReceivedEvent { id: string, name: string, data: { id: string, [property: string]: unknown } }

/** A client of `GET /events` that has received the head of the response. */
export interface Follower {
  response: Response
  /** Everything received so far. */
  text: () => string
  events: () => ReceivedEvent[]
  /** Resolves when an event with this name and data.id has been received, or when that is the case already. */
  receives: (name: string, id: string) => Promise<void>
  /** Resolves when the server has ended the stream, and rejects when the connection is lost. */
  ended: Promise<void>
}

export async function followEvents (url: string, headers: Record<string, string>): Promise<Follower> {
  const response = await fetch(url, { headers })
  const decoder = new TextDecoder()
  let text = ''
  async function read (): Promise<void> {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true })
  }
  const ended = read()
  ended.catch(() => {})
  const events = (): ReceivedEvent[] => eventsIn(text)
  return {
    response,
    text: () => text,
    events,
    receives: async (name, id) =>
      await until(() => events().some((event) => event.name === name && event.data.id === id)),
    ended
  }
}

const eventPattern = /^id: (?<id>.*)\nevent: (?<name>.*)\ndata: (?<data>.*)\n\n/gm

export const eventsIn = (text: string): ReceivedEvent[] => [...text.matchAll(eventPattern)]
  .map(({ groups: { id = '', name = '', data = '' } = {} }) => ({ id, name, data: JSON.parse(data) }))
