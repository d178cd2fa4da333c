// A board of retained values, as an application would write it; it says when its first values were on the screen.

import { connect } from '/pkg/index.js';

const startedMs = performance.now();
const list = document.getElementById('values');
/** What fits on the screen. */
const ROWS_MAX = 50;
/** Topic → what is shown, or would be if the list were scrolled. */
const texts = new Map();
const rows = new Map();

const board = {
  /** From the start of this script to the frame that showed the first values. */
  paintedMs: undefined,
  snapshots: 0,

  texts: () => Object.fromEntries(texts),
};

/** The first task behind a frame's callbacks comes when it is painted. */
function afterNextFrame(callback) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = callback;
  requestAnimationFrame(() => port2.postMessage(undefined));
}

window.board = board;

const client = connect(new URLSearchParams(location.search).get('broker'), { identity: 'board' });
let isFirst = true;
const subscription = client.subscribe('state/{at}/temperature');
subscription.onSnapshot(() => (board.snapshots += 1));
subscription.onMessage((message) => {
  const { topic } = message;
  if (message.isEmpty) {
    texts.delete(topic);
    rows.get(topic)?.remove();
    rows.delete(topic);
    return;
  }
  const text = `${message.fromCache ? 'cached' : 'live'} ${message.text()}`;
  texts.set(topic, text);
  let row = rows.get(topic);
  if (!row && rows.size < ROWS_MAX) {
    row = document.createElement('li');
    rows.set(topic, row);
    list.append(row);
  }
  if (row) row.textContent = text;
  if (isFirst) afterNextFrame(() => (board.paintedMs = performance.now() - startedMs));
  isFirst = false;
});
