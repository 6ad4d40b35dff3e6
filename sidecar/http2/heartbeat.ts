import type { Http2Session } from 'node:http2';

/** Asks the other end of a connection, from time to time, whether it is still there: an idle stream alone would never tell. */
export class Heartbeat {
  private readonly session: Http2Session;
  private next: number;
  private answered = true;

  constructor(session: Http2Session, first: number) {
    this.session = session;
    this.next = first;
  }

  /** Call at every tick. `again` is the tick of the next question. @returns false when the last one was not answered */
  beat(now: number, again: () => number): boolean {
    if (now < this.next) return true;
    if (!this.answered) return false;
    this.next = again();
    if (this.session.closed || this.session.destroyed) return true;
    this.answered = false;
    this.session.ping((error) => {
      this.answered = error === null;
    });
    return true;
  }
}
