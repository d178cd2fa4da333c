// The offline demo: two people who send each other notes and share a lamp. Their clients are workers, which this page starts and kills.

const NAMES = ['Ana', 'Ben'];
const SHOWN_MAX = 12;
const room = (sessionStorage.room ??= Math.random().toString(36).slice(2, 10));

function list(element, rows) {
  element.replaceChildren(...rows.slice(0, SHOWN_MAX), ...(rows.length > SHOWN_MAX ? [row(`and ${rows.length - SHOWN_MAX} more`)] : []));
}

function row(text, ...more) {
  const item = document.createElement('li');
  item.append(text, ...more);
  return item;
}

function badge(text) {
  const mark = document.createElement('span');
  mark.className = 'badge';
  mark.textContent = text;
  return mark;
}

/** Steps of the way through the demo, as far as they were taken. */
const steps = document.querySelectorAll('.steps li');
const taken = (step) => steps[step].classList.add('taken');
/** Notes that waited in the tab that was killed. */
let owed = 0;

function openPane(name) {
  const pane = document.getElementById('pane').content.cloneNode(true).firstElementChild;
  const part = (selector) => pane.querySelector(selector);
  let worker;
  let network = true;
  let lampOn = false;
  let sent = 0;
  let done = 0;
  const inbox = new Map();

  const say = (command, more) => worker?.postMessage({ command, ...more });
  const showInbox = () => {
    part('.arrived').textContent = inbox.size;
    list(part('.inbox'), [...inbox.values()].map(({ id, from, text, redelivered }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Done';
      button.addEventListener('click', () => {
        inbox.delete(id);
        part('.done').textContent = ++done;
        say('done', { id });
        showInbox();
      });
      return row(`${from}: ${text} `, ...(redelivered ? [badge('again')] : []), button);
    }));
  };
  const heard = {
    state({ now }) {
      const reasons = { offline: `Offline: ${now.reason}`, 'needs-auth': `Not let in: ${now.reason}`, closed: now.error ?? 'Closed' };
      part('.state').dataset.state = now.state;
      part('.state').textContent = reasons[now.state] ?? { connecting: 'Connecting', online: 'Online' }[now.state];
    },
    outbox({ entries }) {
      part('.waiting').textContent = entries.length;
      list(part('.outbox'), entries.map(({ key, stage }) => row(`${key} `, badge(stage))));
    },
    lamp({ on, fromCache }) {
      lampOn = on === true;
      part('.value').textContent = `${lampOn ? 'on' : 'off'}${fromCache ? ', from earlier' : ''}`;
    },
    note(note) {
      inbox.set(note.id, note);
      if (steps[3].classList.contains('taken') && inbox.size >= owed) taken(4);
      showInbox();
    },
    forgotten: () => location.reload(),
  };
  const start = () => {
    worker = new Worker('offline-worker.js', { type: 'module', name });
    worker.onmessage = ({ data }) => heard[data.kind](data);
    part('.value').textContent = 'nobody has switched it yet';
    say('start', { name, room, network });
  };
  const kill = () => {
    worker.terminate();
    worker = undefined;
    inbox.clear();
    showInbox();
    const waiting = Number(part('.waiting').textContent);
    part('.outbox').replaceChildren(...(waiting > 0 ? [row(`${waiting} kept in the storage of this browser`)] : []));
    part('.value').textContent = '';
    owed = waiting;
    part('.state').dataset.state = 'killed';
    part('.state').textContent = 'Killed';
  };
  const note = (text) => {
    if (!network) taken(1);
    say('note', { topic: `demo/${room}/notes/${name}`, text });
  };

  part('h2').textContent = name;
  part('.network').addEventListener('click', () => {
    network = !network;
    part('.network').setAttribute('aria-checked', network);
    if (!network) taken(0);
    else if (worker && steps[2].classList.contains('taken')) taken(3);
    say('network', { on: network });
  });
  part('.kill').addEventListener('click', () => {
    if (worker) {
      kill();
      if (steps[1].classList.contains('taken')) taken(2);
    } else {
      start();
      if (network && steps[2].classList.contains('taken')) taken(3);
    }
    part('.kill').textContent = worker ? 'Kill the tab' : 'Open it again';
    part('.alive').disabled = !worker;
  });
  part('.toggle').addEventListener('click', () => {
    lampOn = !lampOn;
    part('.value').textContent = `${lampOn ? 'on' : 'off'}, on its way`;
    say('lamp', { topic: `demo/${room}/lamp`, on: lampOn });
  });
  part('form').addEventListener('submit', (event) => {
    event.preventDefault();
    note(part('input').value);
    part('input').value = '';
  });
  part('.ten').addEventListener('click', () => {
    for (let n = 0; n < 10; n++) note(`note ${++sent}`);
  });
  document.getElementById('panes').append(pane);
  start();
  return { forget: () => (worker ? say('forget') : undefined) };
}

const panes = NAMES.map(openPane);
document.getElementById('restart').addEventListener('click', () => {
  delete sessionStorage.room;
  for (const { forget } of panes) forget();
  setTimeout(() => location.reload(), 3_000);
});
