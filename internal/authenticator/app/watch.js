// What waits, as soon as it does: on a stream, and where streams do not get through by asking again and again.
import { heard, open, Refusal } from './api.js';

const firstWithin = 8_000; // ms for a stream to say what waits now; behind a proxy that holds it back it never does
const silence = 45_000; // ms; the server says every 15 s that it lives
const firstPause = 1_000; // ms
const longestPause = 30_000; // ms

// watch tells on.requests(list) what waits, at once and at each change; on.lost() that it cannot be known, until it can; and on.refused(error)
// that the device is let in no more, after which it ends. Returns how to stop.
export function watch(device, on) {
  const stopped = new AbortController();
  run(device, on, stopped.signal);
  return () => stopped.abort();
}

async function run(device, on, stopped) {
  let streams = true; // and asks where a stream says nothing
  let known; // to who asks
  let pause = firstPause;
  while (!stopped.aborted) {
    let told = false;
    const tell = ({ now, requests }) => {
      heard(now);
      told = true;
      known = requests;
      pause = firstPause;
      on.requests(requests);
    };
    const failed = await attempt(streams ? streamOnce : pollOnce, device, tell, known, stopped);
    if (stopped.aborted) return;
    if (failed instanceof Refusal && failed.status === 401) return on.refused(failed);
    if (!failed && told) continue;
    known = undefined;
    if (streams && !told) {
      streams = false;
      continue;
    }
    streams = true;
    on.lost();
    await rest(pause, stopped);
    pause = Math.min(2 * pause, longestPause);
  }
}

// attempt does one step, until the network is gone or it is to stop, and returns the error that it ended with.
async function attempt(step, device, tell, known, stopped) {
  const ends = new AbortController();
  const end = () => ends.abort();
  addEventListener('offline', end);
  try {
    await step(device, tell, AbortSignal.any([stopped, ends.signal]), known);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    removeEventListener('offline', end);
  }
}

// rest waits, or until the network is back, the page is looked at again, or it is to stop.
function rest(ms, stopped) {
  return new Promise((resolve) => {
    const wakes = [[window, 'online'], [document, 'visibilitychange'], [stopped, 'abort']];
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      for (const [target, event] of wakes) target.removeEventListener(event, done);
      resolve();
    }
    for (const [target, event] of wakes) target.addEventListener(event, done);
  });
}

// streamOnce reads one stream of server-sent events to its end (HTML §9.2). EventSource cannot carry a token.
async function streamOnce(device, tell, signal) {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), firstWithin);
  try {
    const reply = await open(device, 'GET', 'requests/events', {
      accept: 'text/event-stream', signal: AbortSignal.any([signal, quiet.signal]),
    });
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), silence);
      text += value;
      const blocks = text.split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        const data = block.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n');
        if (data) tell(JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

// pollOnce asks what waits: at once, or when it is other than what is known.
async function pollOnce(device, tell, signal, known) {
  const query = known ? `?wait=20&known=${known.map((r) => r.challenge).join()}` : '';
  const reply = await open(device, 'GET', `requests${query}`, { signal });
  tell(await reply.json());
}
