// The service worker: keeps the app itself for when there is no network, and shows the wake-ups of Web Push. No answer of the server is kept.
// The server writes a line before this one: what the app is made of (shell.files), and a version that changes with it.

const kept = `shell-${shell.version}`;
const here = (file) => new URL(file, self.location).href;
const page = here('../authenticator');
const files = new Set([page, ...shell.files.map(here)]);

self.addEventListener('install', (event) => event.waitUntil((async () => {
  const cache = await caches.open(kept);
  await cache.addAll([...files].map((file) => new Request(file, { cache: 'reload', credentials: 'omit' })));
  await self.skipWaiting();
})()));

self.addEventListener('activate', (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith('shell-') && name !== kept) await caches.delete(name);
  await self.clients.claim();
})()));

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  url.search = url.hash = '';
  if (event.request.method !== 'GET' || !files.has(url.href)) return;
  event.respondWith(caches.open(kept).then((cache) => cache.match(url.href)).then((found) => found ?? fetch(event.request)));
});

// words are those of the page, in the user's language.
async function words() {
  const cache = await caches.open(kept);
  for (const name of [...navigator.languages, 'en']) {
    const found = await cache.match(here(`locale/${name.toLowerCase().split('-')[0]}.json`));
    if (found) return found.json();
  }
  return {};
}

self.addEventListener('push', (event) => event.waitUntil((async () => {
  const text = await words();
  await self.registration.showNotification(text['push.title'] ?? 'Countersign', { body: text['push.body'], tag: 'request', icon: here('icon-192.png') });
})()));

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const tabs = await self.clients.matchAll({ type: 'window' });
    await (tabs.length > 0 ? tabs[0].focus() : self.clients.openWindow(page));
  })());
});
