import { notifications } from '@mantine/notifications';
import { messageOf } from '../api';

const closeButtonProps = { 'aria-label': 'Close' };

/** Tells that something was done. */
export function toastDone(message: string): void {
  notifications.show({ message, color: 'teal', autoClose: 3500, withBorder: true, closeButtonProps });
}

/** Tells that something the user asked for failed. Stays until it is closed. */
export function toastError(title: string, error: unknown): void {
  notifications.show({
    title,
    message: messageOf(error),
    color: 'red',
    autoClose: false,
    withBorder: true,
    closeButtonProps,
  });
}
