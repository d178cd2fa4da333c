// What clients of `ebbtide/testing` and of the package have in common: each case runs on both, here on the broker in memory
// (`contract.test.mjs`), and in `tests/node/client/contract.test.mjs` on the real one. So they cannot come to differ unseen.
//
// A case gets a world of its own: `connect` makes a client; `publish`, and all that is `published`, are somebody else's; the network goes and
// comes; the broker refuses connections, publishes and subscriptions. Nothing of a package is imported: there are two.

import { CONNECTION } from './connection.mjs';
import { PUBLISHES } from './publishes.mjs';
import { STORED } from './stored.mjs';
import { SUBSCRIPTIONS } from './subscriptions.mjs';
import { VERSION3 } from './version3.mjs';

export const CASES = { ...CONNECTION, ...PUBLISHES, ...SUBSCRIPTIONS, ...VERSION3, ...STORED };
