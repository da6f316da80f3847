/** The types of Node.js 20 do not contain it. */
interface WebAssemblyApi {
  Module: new (code: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: unknown }
}

const modules = new Map<string, object>()

/**
 * Returns the exports of a new instance of the module, which is in base64; undefined where Node.js has no WebAssembly,
 * or the processor no SIMD.
 * @param imports functions that the module calls, by the file that declares them
 */
export function instantiateWasm (code: string, imports: Record<string, object> = {}): unknown {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyApi }
  if (WebAssembly === undefined) return undefined
  try {
    const module = modules.get(code) ?? new WebAssembly.Module(Buffer.from(code, 'base64'))
    modules.set(code, module)
    return new WebAssembly.Instance(module, imports).exports
  } catch {
    return undefined
  }
}
