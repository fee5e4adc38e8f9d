// What this browser keeps: the device with its key, and what it answered. The key cannot be read out, not even by this page.

const name = 'countersign-authenticator';

let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('device');
      request.result.createObjectStore('history', { keyPath: 'challenge' });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

// inside does one thing to one store and returns its result once it is kept.
async function inside(store, mode, act) {
  const transaction = (await open()).transaction(store, mode, { durability: 'strict' });
  const request = act(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

export const readDevice = () => inside('device', 'readonly', (store) => store.get('device'));
export const keepDevice = (device) => inside('device', 'readwrite', (store) => store.put(device, 'device'));

const maxHistory = 200;

// keepAnswer adds to the history, of which the oldest goes when it is too long.
export async function keepAnswer(entry) {
  await inside('history', 'readwrite', (store) => store.put(entry));
  const all = await readHistory();
  for (const old of all.slice(maxHistory)) await inside('history', 'readwrite', (store) => store.delete(old.challenge));
}

// readHistory is what was answered, newest first.
export async function readHistory() {
  const all = await inside('history', 'readonly', (store) => store.getAll());
  return all.sort((a, b) => b.answered_at - a.answered_at);
}

export const readAnswer = (challenge) => inside('history', 'readonly', (store) => store.get(challenge));

// forget deletes everything.
export async function forget() {
  await inside('device', 'readwrite', (store) => store.clear());
  await inside('history', 'readwrite', (store) => store.clear());
}

// other tabs are told that the device has changed.
const others = new BroadcastChannel(name);
export const tellOthers = () => others.postMessage('changed');
export const onOthers = (act) => others.addEventListener('message', act);
