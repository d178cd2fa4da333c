// Who is there. A page that says so has an entry below presence/, which the broker turns offline when the page is gone. Everything that a
// page needs from the npm package is in here.
import { connect } from '/pkg/index.js';

const element = (id) => document.getElementById(id);
let client;
let name = sessionStorage.getItem('name') ?? '';

const texts = {
  connecting: () => 'Connecting',
  online: () => 'Online',
  offline: ({ reason, retryInMs }) =>
    `Offline: ${reason}.` + (retryInMs === null ? '' : ` Next attempt in ${Math.ceil(retryInMs / 1000)} s.`),
  'needs-auth': ({ reason }) => `The broker does not let this page in: ${reason}. Give a user, and the password.`,
  closed: ({ error }) => `The client could not be started: ${error?.message ?? 'it was closed'}. Reload the page to try again.`,
};

function showState(current) {
  element('state').dataset.state = current.state;
  element('state').textContent = texts[current.state](current);
  if (current.state === 'needs-auth') element('password').closest('label').hidden = false;
}

/** Without a name this page only looks. */
function enter(password) {
  client?.close();
  const here = connect('/mqtt', {
    ...(name && { identity: name, presence: { topic: 'presence/{client}' } }),
    ...(password && { credentials: { username: name, password } }),
  });
  client = here;
  here.on('state', (state) => here === client && showState(state));
  showState(here.state);
  const people = here.presence('presence/{client}');
  element('empty').textContent = 'Waiting for the first values.';
  people.subscribe(() => here === client && showPeople(people));
  element('gone').disabled = !name;
}

function showPeople(people) {
  const rows = people.list().map(({ user, status, since }) => {
    const row = document.createElement('li');
    row.dataset.status = status;
    const parts = { name: user, since: since ? `${status} since ${since.toLocaleTimeString()}` : status };
    for (const [part, text] of Object.entries(parts)) {
      const span = row.appendChild(document.createElement('span'));
      span.className = part;
      span.textContent = text;
    }
    return row;
  });
  element('agents').replaceChildren(...rows);
  const { error, ready } = people;
  element('empty').hidden = rows.length > 0 && !error;
  if (error) element('empty').textContent = `Who is here cannot be seen: ${error.reasonString ?? error.reason ?? error.message}.`;
  else if (ready) element('empty').textContent = 'Nobody has said yet that they are here.';
}

element('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const given = element('name').value.trim();
  if (event.submitter?.value === 'offline') client.presence().leave();
  else if (given === name && client.state.state !== 'needs-auth') client.presence().update(undefined);
  else {
    name = given;
    // For a reload of this tab. The password is not kept.
    sessionStorage.setItem('name', name);
    enter(element('password').value);
  }
});

element('name').value = name;
enter();
