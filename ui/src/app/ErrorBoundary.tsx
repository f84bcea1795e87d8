import { Component, type ReactNode } from 'react';
import { messageOf } from '../api';
import { ErrorState } from '../components/states';

interface Props {
  children: ReactNode;
  /** A new value tries again: the address of the page, the data of a panel. */
  resetKey?: unknown;
}

/** Keeps an error in one part of the page from taking the rest with it. */
export class ErrorBoundary extends Component<Props, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidUpdate(previous: Props) {
    if (this.state.error !== undefined && previous.resetKey !== this.props.resetKey) {
      this.setState({ error: undefined });
    }
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <ErrorState
        title="This part of the page failed"
        message={messageOf(this.state.error)}
        onRetry={() => this.setState({ error: undefined })}
      />
    );
  }
}
