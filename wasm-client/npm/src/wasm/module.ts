// The module: compiled once for all clients, and an instance of its own for each connection.

import { Machine, type Exports } from './connection.js';
import type { MakeConnection } from './contract.js';

/** Where the wasm comes from: an address, a response, its bytes, or a compiled module. */
export type WasmSource = string | URL | Request | Response | BufferSource | WebAssembly.Module | PromiseLike<Response | BufferSource | WebAssembly.Module>;

export async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  let given = await source;
  if (typeof given === 'string' || given instanceof URL || given instanceof Request) given = await fetch(given);
  if (given instanceof WebAssembly.Module) return given;
  if (!(given instanceof Response)) return WebAssembly.compile(given);
  const type = given.headers.get('content-type');
  // A server that answers everything with its page: the bundler has not put the file there.
  if (!given.ok || type?.startsWith('text/html')) throw new Error(`${given.url}: ${given.status} ${type}`);
  // Not every server knows the type; without it a browser does not compile while it loads.
  return type?.startsWith('application/wasm') ? WebAssembly.compileStreaming(given) : WebAssembly.compile(await given.arrayBuffer());
}

export async function instantiate(module: WebAssembly.Module): Promise<MakeConnection> {
  let machine: Machine;
  const { exports } = await WebAssembly.instantiate(module, {
    ebbtide: {
      hear: (hook: number, at: number) => machine.hear(hook, at),
      send: (at: number, length: number) => machine.send(at, length),
    },
  });
  return (settings, hooks) => (machine = new Machine(exports as unknown as Exports, settings, hooks));
}
