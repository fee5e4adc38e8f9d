// Why something did not work, in words.
import { Refusal, Unreachable } from './api.js';
import { known, t } from './text.js';

// reason is what the user is told of an error.
export function reason(error) {
  if (error instanceof Unreachable) return t('error.unreachable');
  if (error instanceof Refusal) return known(`error.${error.code}`) ? t(`error.${error.code}`) : t('error.other', { code: error.code });
  if (error instanceof DOMException && known(`error.${error.name}`)) return t(`error.${error.name}`);
  console.error(error);
  return t('error.other', { code: error.name });
}
