import type { Report, State } from './engine.js';

type ReportOf<K extends Report['kind'], R = Report> = R extends { readonly kind: infer Kind } ? (K extends Kind ? R : never) : never;

/** Event → what its listeners get: `state`, `report` for every report, and each kind of report by its name. */
export type ClientEvents = { readonly state: State; readonly report: Report } & {
  readonly [K in Report['kind']]: ReportOf<K>;
};
