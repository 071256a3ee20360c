// Events to the page, one at a time: the next leaves when the page has answered the one before.

const PATIENCE_MS = 20000;

export class Outbox {
  constructor(deliver, onSilence) {
    this.deliver = deliver;
    this.onSilence = onSilence;
    this.waiting = [];
    this.sent = null;
    this.seq = Date.now();
    this.timer = null;
  }

  get idle() {
    return !this.sent && !this.waiting.length;
  }

  // Posts whose place or state on the screen is newer than the page's.
  get waitingIds() {
    return new Set([this.sent, ...this.waiting].filter(Boolean).map((event) => event.id));
  }

  send(event) {
    this.seq += 1;
    this.waiting.push({ ...event, seq: this.seq });
    this.#next();
  }

  acknowledge(seq) {
    if (this.sent?.seq !== seq) return;
    this.#settle();
  }

  #settle() {
    clearTimeout(this.timer);
    this.sent = null;
    this.#next();
  }

  #next() {
    if (this.sent || !this.waiting.length) return;
    this.sent = this.waiting.shift();
    // A page that failed never answers; the map must not stay silent for ever because of it.
    this.timer = setTimeout(() => {
      this.#settle();
      this.onSilence();
    }, PATIENCE_MS);
    this.deliver(this.sent);
  }
}
