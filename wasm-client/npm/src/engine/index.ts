import type { Engine } from '../engine.js';
import { EbbtideError } from '../error.js';
import type { EngineSettings } from '../settings.js';

/** @internal */
export function openEngine(url: string, settings: EngineSettings): Engine {
  throw new EbbtideError('not-supported', `${url} ${settings.storage}`);
}
