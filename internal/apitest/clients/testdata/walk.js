// Takes a user through the login page for a client that is not JavaScript: reads {url, identifier, password, phone, allow} from standard
// input and prints "back at " and the address at which the user is back at the application.
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { enterCode, logIn, returned, withTab } from './lib/browser.js';
import { sentCode } from './lib/server.js';

const { url, identifier, password, phone, allow } = JSON.parse(await text(process.stdin));

test('the walk', () => withTab(async (page) => {
  await page.goto(url);
  await logIn(page, identifier, password);
  if (phone) {
    await page.getByLabel('Code').waitFor();
    await enterCode(page, await sentCode(phone));
  }
  if (allow) await page.getByRole('button', { name: 'Allow' }).click();
  console.log(`back at ${await returned(page)}`);
}));
