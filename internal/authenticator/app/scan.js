// The camera, where the browser can read QR codes by itself.

const every = 250; // ms

export const scans = () => 'BarcodeDetector' in window && Boolean(navigator.mediaDevices?.getUserMedia);

// scan shows the camera in a part of the page and passes on the first code that it reads. Returns how to stop.
export async function scan(part, found) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  const video = document.createElement('video');
  Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
  const detector = new window.BarcodeDetector({ formats: ['qr_code'] });
  let timer;
  const stop = () => {
    clearTimeout(timer);
    for (const track of stream.getTracks()) track.stop();
    part.replaceChildren();
  };
  async function look() {
    const [code] = await detector.detect(video).catch(() => []);
    if (code) {
      stop();
      found(code.rawValue);
      return;
    }
    timer = setTimeout(look, every);
  }
  part.replaceChildren(video);
  await video.play();
  timer = setTimeout(look, every);
  return stop;
}
