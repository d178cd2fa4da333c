// Keeps the shell of the dashboard, so that it opens without the broker, and at once.
//
// The broker's answer comes first for a page; the kept one stands in when there is none within DEADLINE_MS. Files whose name
// carries a hash come from the cache. Nothing else is touched: neither the API nor the site, and never a message.
// `cargo xtask web` fills in BUILD and FILES: with another build this is another worker, with a cache of its own.

const BUILD = '__BUILD__';
const FILES = __FILES__;
const PAGE = '/';
const DEADLINE_MS = 300;
const PREFIX = 'ebbtide-dashboard-';
const CACHE = PREFIX + BUILD;
// Below these the broker serves something else.
const OTHERS = /^\/(api|docs|pkg)(\/|$)|^\/(mqtt|healthz|readyz)$/;

self.addEventListener('install', (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(dropOthers().then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode === 'navigate') {
    if (!OTHERS.test(pathname)) event.respondWith(page(event));
  } else if (FILES.includes(pathname)) {
    event.respondWith(file(request));
  }
});

async function keep() {
  const cache = await caches.open(CACHE);
  // All or nothing. The page is asked for anew, the files may come from the browser's own cache: their names tell them apart.
  await cache.addAll([new Request(PAGE, { cache: 'no-cache' }), ...FILES]);
}

async function dropOthers() {
  const names = await caches.keys();
  const others = names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}

async function page(event) {
  const asked = fetch(event.request);
  // Whichever way the page comes, a late answer is nobody's unhandled error.
  event.waitUntil(asked.catch(() => undefined));
  const late = new Promise((resolve) => setTimeout(resolve, DEADLINE_MS));
  const inTime = await Promise.race([asked.catch(() => undefined), late]);
  // A proxy whose broker is away answers in its place.
  if (inTime && inTime.status < 500) return inTime;
  const kept = await caches.match(PAGE, { cacheName: CACHE });
  return kept ?? inTime ?? asked;
}

async function file(request) {
  return (await caches.match(request, { cacheName: CACHE })) ?? fetch(request);
}
