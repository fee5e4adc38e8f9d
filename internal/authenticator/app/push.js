// Web Push: a wake-up that says nothing of what waits. Without it the open page hears by itself.
import { call } from './api.js';
import { decode, encode } from './keys.js';

// pushState is how it stands: unsupported, denied, off or on.
export async function pushState(config) {
  if (!config.web_push_key || !('PushManager' in window) || !('Notification' in window) || !navigator.serviceWorker) return 'unsupported';
  if (Notification.permission === 'denied') return 'denied';
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration?.pushManager.getSubscription()) ? 'on' : 'off';
}

// turnOn asks the user, subscribes, and tells the server where. Returns the state after.
export async function turnOn(config, device) {
  if (await Notification.requestPermission() !== 'granted') return pushState(config);
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: decode(config.web_push_key) });
  await tell(device, subscription);
  return 'on';
}

// turnOff ends both.
export async function turnOff(device) {
  await call(device, 'DELETE', 'device/push');
  await unsubscribe();
  return 'off';
}

export async function unsubscribe() {
  const registration = await navigator.serviceWorker?.getRegistration();
  await (await registration?.pushManager?.getSubscription())?.unsubscribe();
}

// renew tells the server again where: browsers change the address as they like.
export async function renew(config, device) {
  if (await pushState(config) !== 'on') return;
  const registration = await navigator.serviceWorker.getRegistration();
  await tell(device, await registration.pushManager.getSubscription());
}

const tell = (device, subscription) => call(device, 'PUT', 'device/push', {
  json: {
    service: 'web', token: subscription.endpoint, p256dh: encode(subscription.getKey('p256dh')), auth: encode(subscription.getKey('auth')),
  },
});
