/** The types of Node.js 20 do not contain it. */
interface WebAssemblyApi {
  Module: new (code: Uint8Array) => object
  Instance: new (module: object) => { exports: unknown }
}

const modules = new Map<string, object>()

/**
 * Returns the exports of a new instance of the module, which is in base64; undefined where Node.js has no WebAssembly,
 * or the processor no SIMD.
 */
export function instantiateWasm (code: string): unknown {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi }
  if (WebAssembly === undefined) return undefined
  try {
    const module = modules.get(code) ?? new WebAssembly.Module(Buffer.from(code, 'base64'))
    modules.set(code, module)
    return new WebAssembly.Instance(module).exports
  } catch {
    return undefined
  }
}
