// A page rendered on a server: it imports the package, and must not need a browser for that.

import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { EbbtideError } from 'ebbtide';
import { EbbtideProvider, useConnection } from 'ebbtide/react';

function Page() {
  return createElement('p', null, useConnection().state);
}

console.log(renderToString(createElement(EbbtideProvider, { client: null }, createElement(Page))), new EbbtideError('offline', 'text').code);
