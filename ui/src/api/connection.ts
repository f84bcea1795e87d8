export type ConnectionState =
  | { kind: 'connected' }
  /** No answer: the process is down or the network is. */
  | { kind: 'lost'; since: number }
  /** The session ended, or there was none. */
  | { kind: 'unauthorized' };

const connected: ConnectionState = { kind: 'connected' };

/**
 * Whether the server answers us, as the last requests saw it. Components read it
 * with useConnection; nothing polls here.
 */
export class Connection {
  private state: ConnectionState = connected;
  private readonly listeners = new Set<() => void>();

  get current(): ConnectionState {
    return this.state;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  answered(status: number): void {
    if (status === 401) this.set({ kind: 'unauthorized' });
    else if (this.state.kind === 'lost') this.set(connected);
  }

  lost(): void {
    if (this.state.kind === 'connected') this.set({ kind: 'lost', since: Date.now() });
  }

  /** To be called after a login. */
  restored(): void {
    this.set(connected);
  }

  private set(state: ConnectionState): void {
    if (state.kind === this.state.kind) return;
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}
