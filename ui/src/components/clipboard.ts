import { messageOf } from '../api';
import { toastDone, toastError } from './toast';

/** Copies a text and says so; browsers allow it on https and on this machine only. */
export async function copyText(text: string, done: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toastDone(done);
  } catch (error) {
    toastError('The browser does not let us copy', messageOf(error));
  }
}
