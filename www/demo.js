// Shows presence/{agent} and publishes to it. Everything that a page needs from the npm package is in here.
import { connect } from '/pkg/index.js';

const element = (id) => document.getElementById(id);
const client = connect('/mqtt');

function showState(current) {
  const texts = {
    connecting: () => 'Connecting',
    online: () => 'Online',
    offline: ({ reason, retryInMs }) =>
      `Offline: ${reason}.` + (retryInMs === null ? '' : ` Next attempt in ${Math.ceil(retryInMs / 1000)} s.`),
    'needs-auth': ({ reason }) => `The broker wants credentials: ${reason}.`,
    closed: ({ error }) => `The client could not be started: ${error?.message ?? 'it was closed'}. Reload the page to try again.`,
  };
  element('state').dataset.state = current.state;
  element('state').textContent = texts[current.state](current);
}

client.on('state', showState);
showState(client.state);

const rows = new Map();

function show(agent, presence) {
  let row = rows.get(agent);
  if (!row) {
    row = document.createElement('li');
    for (const name of ['name', 'since']) {
      const part = row.appendChild(document.createElement('span'));
      part.className = name;
    }
    rows.set(agent, row);
    const next = [...rows.keys()].filter((other) => other > agent).sort()[0];
    element('agents').insertBefore(row, rows.get(next) ?? null);
  }
  const [name, since] = row.children;
  row.dataset.status = presence.status;
  name.textContent = readable(agent);
  const time = new Date(presence.since);
  since.textContent = Number.isNaN(time.getTime())
    ? presence.status
    : `${presence.status} since ${time.toLocaleTimeString()}`;
  element('empty').hidden = true;
}

/** Names are percent-encoded in topics; others may have written them as they are. */
function readable(agent) {
  try {
    return decodeURIComponent(agent);
  } catch {
    return agent;
  }
}

function read(message) {
  try {
    const value = message.json();
    if (typeof value?.status === 'string') return value;
    if (typeof value?.online === 'boolean') return { status: value.online ? 'online' : 'offline' };
  } catch {
    // Shown as something that this page does not understand.
  }
  return { status: 'unknown' };
}

async function watch() {
  const presence = client.subscribe('presence/{agent}', { qos: 1 });
  presence.snapshot.then(
    () => (element('empty').textContent = 'Nobody has published yet.'),
    () => {},
  );
  for await (const message of presence) {
    if (message.isEmpty) {
      rows.get(message.params.agent)?.remove();
      rows.delete(message.params.agent);
      element('empty').hidden = rows.size > 0;
    } else show(message.params.agent, read(message));
  }
}

watch().catch((error) => (element('empty').textContent = error.message));

element('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const status = event.submitter?.value ?? 'online';
  const topic = `presence/${encodeURIComponent(element('name').value.trim())}`;
  const value = { status, since: new Date().toISOString() };
  element('sent').textContent = 'Sending';
  try {
    await client.publish(topic, value, { qos: 1, retain: true }).acked;
    element('sent').textContent = 'The broker has it.';
  } catch (error) {
    element('sent').textContent = `Not published: ${error.message}.`;
  }
});
