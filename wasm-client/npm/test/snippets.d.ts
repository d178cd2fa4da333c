// What the blocks of the guides may take for granted.

declare const client: import('ebbtide').Client;
declare function show(...what: unknown[]): void;
declare function freshToken(): Promise<string>;
