// @ts-check

/**
 * @typedef {object} RequestOptions
 * @property {number} [expect] the expected status; 200 by default
 * @property {object} [body] sent as JSON
 * @property {boolean} [anonymous] without the token
 */

/** @typedef {ReturnType<typeof createClient>} Client */

/**
 * @param {{ origin: string, token: string, signal: AbortSignal }} options
 */
export function createClient ({ origin, token, signal }) {
  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} [options]
   */
  return async function request (method, path, { expect = 200, body, anonymous = false } = {}) {
    const response = await fetch(origin + path, {
      method,
      headers: {
        ...anonymous ? {} : { authorization: `Bearer ${token}` },
        ...body === undefined ? {} : { 'content-type': 'application/json' }
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal
    })
    if (response.status !== expect) {
      const text = await response.text()
      throw new Error(`${method} ${path} responded with ${response.status} instead of ${expect}: ${text}`)
    }
    return response
  }
}
